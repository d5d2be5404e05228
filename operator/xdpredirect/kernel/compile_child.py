"""Turns C into BPF instructions with bcc; run by `kernel.compile` as a short-lived process.

It runs under the distribution's Python (where bcc lives), isolated, so it imports nothing of this
project, and gives up its user and its capabilities before it reads a byte. Standard input: JSON
{"source", "functions", "log"}. Output: JSON {"instructions": {function: base64}} or
{"error": text}. The
environment's BCC_KERNEL_SOURCE names the stub headers.
"""

import base64
import contextlib
import ctypes
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

_NOBODY = 65534
_SET_NO_NEW_PRIVILEGES = 38
_CAPABILITY_VERSION_3 = 0x20080522


def main() -> None:
    """Compile one function; clang's complaints go to the answer, not to the terminal."""
    give_up_privileges()
    job = json.load(sys.stdin)
    answer = os.dup(1)
    with Path(job["log"]).open("w+b") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        result = compile_functions(job["source"], job["functions"])
        sys.stdout.flush()
        sys.stderr.flush()
        log.seek(0)
        if "error" in result:
            result["error"] += "\n" + log.read().decode(errors="replace")
    os.write(answer, json.dumps(result).encode())


def give_up_privileges() -> None:
    """Become nobody where that is allowed, and drop every capability in any case: a container with
    three capabilities and no CAP_SETUID stays uid 0, which is worth nothing without them."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    with contextlib.suppress(PermissionError):
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    if libc.capset(header, bytes(24)):
        raise OSError(ctypes.get_errno(), "capset")


def compile_functions(source: str, functions: list[str]) -> dict[str, Any]:
    """Instruction bytes of each function; bcc raises plain exceptions of any kind."""
    try:
        # Late, so that a machine without bcc gets an answer in words.
        from bcc import BPF  # noqa: PLC0415

        program = BPF(text=source, cflags=["-Wno-everything"])
        dumped = {name: program.dump_func(name) for name in functions}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"instructions": {n: base64.b64encode(code).decode() for n, code in dumped.items()}}


main()
