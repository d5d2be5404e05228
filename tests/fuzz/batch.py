"""A compiler for thousands of programs: one child for many of them.

Called by `valid` and `worker`. The child has no privileges, as the product's has none.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from xdpredirect.data import data_dir
from xdpredirect.errors import CompileError
from xdpredirect.kernel.compile import digest, keep

NOBODY = 65534
# LLVM gives little of its memory back: a child has grown by some 100 MB after so many programs.
COMPILATIONS_OF_A_CHILD = 200


class BatchCompiler:
    """Fills a cache of the product's `Compiler`, which then has nothing left to do. Close it."""

    def __init__(self, python: str, cache: Path) -> None:
        self.cache = cache
        self._python, self._child = python, _Child()

    def fill(self, source: str, function: str) -> None:
        """Compile what the cache does not hold yet. Raises CompileError with clang's words."""
        path = self.cache / f"{digest(source, function)}.code"
        if path.exists():
            return
        answer = self._child.ask(self._python, {"source": source, "function": function})
        if "error" in answer:
            raise CompileError(answer["error"])
        keep(path, base64.b64decode(answer["instructions"]))

    def close(self) -> None:
        """End the child."""
        self._child.stop()


class _Child:
    """The process, started at the first question and again after some hundred of them."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch = Path()
        self._asked = 0

    def ask(self, python: str, job: dict[str, str]) -> dict[str, str]:
        """One compilation. Raises CompileError when the child dies."""
        if self._asked >= COMPILATIONS_OF_A_CHILD:
            self.stop()
        if self._process is None:
            self._start(python)
        self._asked += 1
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            process.wait()
            log = self._scratch / "tmp" / "clang.log"
            words = log.read_text(errors="replace").strip() if log.exists() else "no word"
            self.stop()
            raise CompileError(f"the compiler ended: {words}")
        answer: dict[str, str] = json.loads(line)
        return answer

    def _start(self, python: str) -> None:
        self._asked = 0
        self._scratch = Path(tempfile.mkdtemp(prefix="xdpredirect-fuzz-"))
        shutil.copytree(data_dir("bpf") / "stubs", self._scratch / "stubs")
        for path in (self._scratch, *self._scratch.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        temporary = self._scratch / "tmp"
        temporary.mkdir()
        os.chown(temporary, NOBODY, NOBODY)
        child = Path(__file__).with_name("batch_child.py").read_text()
        self._process = subprocess.Popen(
            [python, "-I", "-c", child],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                "BCC_KERNEL_SOURCE": str(self._scratch / "stubs"),
                "TMPDIR": str(temporary),
                "PATH": "/usr/bin:/bin",
            },
            cwd=temporary,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
        )

    def stop(self) -> None:
        """End the child and remove its directory."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()
            self._process = None
            shutil.rmtree(self._scratch, ignore_errors=True)
