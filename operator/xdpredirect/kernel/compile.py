"""From C text to instruction bytes: the compiler child and the cache of what it produced.

Called by `agent.act`. bcc (LLVM, 120 MB) lives only for the third of a second that a compilation
takes, in a process without privileges; what it returns holds symbolic map numbers
(`MAP_NUMBER_BASE + n`) which `relocate` replaces by file descriptors.
"""

import base64
import hashlib
import json
import os
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xdpredirect.data import data_dir
from xdpredirect.errors import CompileError

MAP_NUMBER_BASE = 0x7F000000
_HASH_SIZE = 32
TIMEOUT_SECONDS = 120
_LD_IMM64 = 0x18
_PSEUDO_MAP_FD = 1


@dataclass(slots=True)
class Spent:
    """What compiling took, failed attempts included."""

    compilations: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Compiler:
    """`python` is the interpreter that can import bcc; `cache` a directory, made when missing.
    `spent` counts what was not in the cache."""

    python: str
    cache: Path
    spent: Spent = field(default_factory=Spent, compare=False)

    def instructions(self, source: str, function: str) -> bytes:
        """Instruction bytes of `function` in `source`, from the cache where possible.

        Raises CompileError with clang's words.
        """
        return self.functions(source, (function,))[function]

    def functions(self, source: str, names: Sequence[str]) -> dict[str, bytes]:
        """Instruction bytes of several functions of one text, in one compilation."""
        paths = {name: self.cache / f"{digest(source, name)}.code" for name in names}
        cached = {name: _read(path) for name, path in paths.items()}
        if all(cached.values()):
            return cached
        compiled = self._compile(source, names)
        for name, code in compiled.items():
            keep(paths[name], code)
        return compiled

    def _compile(self, source: str, names: Sequence[str]) -> dict[str, bytes]:
        scratch = Path(tempfile.mkdtemp(prefix="xdpredirect-"))
        began = time.monotonic()
        try:
            log = scratch / "tmp" / "clang.log"
            job = {"source": source, "functions": list(names), "log": str(log)}
            return _answer(self._run(scratch, json.dumps(job)), log)
        finally:
            self.spent.compilations += 1
            self.spent.seconds += time.monotonic() - began
            shutil.rmtree(scratch, ignore_errors=True)

    def _run(self, scratch: Path, job: str) -> subprocess.CompletedProcess[bytes]:
        shutil.copytree(data_dir("bpf") / "stubs", scratch / "stubs")
        for path in (scratch, *scratch.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        (scratch / "tmp").mkdir()
        # For the child, which gives its privileges up, and for us without CAP_DAC_OVERRIDE.
        (scratch / "tmp").chmod(0o777)
        child = Path(__file__).with_name("compile_child.py").read_text()
        environment = {
            "BCC_KERNEL_SOURCE": str(scratch / "stubs"),
            "TMPDIR": str(scratch / "tmp"),
            "PATH": "/usr/bin:/bin",
        }
        try:
            return subprocess.run(
                [self.python, "-I", "-c", child],
                input=job.encode(),
                capture_output=True,
                timeout=TIMEOUT_SECONDS,
                env=environment,
                cwd=scratch / "tmp",
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CompileError(f"the compiler could not run: {error}") from error


def keep(path: Path, code: bytes) -> None:
    """Put a compilation into the cache, behind its own hash: a file that a power loss emptied or
    zeroed must not be taken for a program, for the verifier would refuse it every time."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(hashlib.sha256(code).digest() + code)
    temporary.replace(path)


def _read(path: Path) -> bytes:
    """A cached compilation; empty when there is none, or a damaged one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return b""
    code = content[_HASH_SIZE:]
    return code if hashlib.sha256(code).digest() == content[:_HASH_SIZE] else b""


def _answer(done: subprocess.CompletedProcess[bytes], log: Path) -> dict[str, bytes]:
    """LLVM ends the process for what it cannot compile; its words are then in the log only."""
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        said = done.stderr + (log.read_bytes() if log.exists() else b"")
        words = said.decode(errors="replace").strip()
        raise CompileError(f"the compiler ended with status {done.returncode}: {words}") from None
    if "error" in answer:
        raise CompileError(answer["error"])
    return {name: base64.b64decode(code) for name, code in answer["instructions"].items()}


def digest(source: str, function: str) -> str:
    """Content address of a compilation: 24 hexadecimal digits."""
    return hashlib.sha256(f"{function}\0{source}".encode()).hexdigest()[:24]


def relocate(instructions: bytes, fds: Mapping[int, int]) -> bytes:
    """Replace map number n in every map-loading instruction by `fds[n]`.

    Source: the LD_IMM64 pseudo encodings of include/uapi/linux/bpf.h.
    """
    patched = bytearray(instructions)
    for offset in range(0, len(patched), 8):
        if patched[offset] == _LD_IMM64 and patched[offset + 1] >> 4 == _PSEUDO_MAP_FD:
            (number,) = struct.unpack_from("=i", patched, offset + 4)
            struct.pack_into("=i", patched, offset + 4, fds[number - MAP_NUMBER_BASE])
    return bytes(patched)
