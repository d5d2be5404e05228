"""Compiles one program after the other with bcc; run by `batch` under the distribution's Python.

The product starts a process for every compilation and pays for loading LLVM each time, which is
right for an agent and too slow for ten thousand programs. Reads lines of JSON {"source",
"function"} from standard input and answers each with a line {"instructions": base64} or
{"error": text}. The environment's BCC_KERNEL_SOURCE names the stub headers.
"""

import base64
import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Serve until standard input ends; clang's complaints go to the answer."""
    answers = os.fdopen(os.dup(1), "w")
    with Path(os.environ["TMPDIR"], "clang.log").open("w+b") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        for line in sys.stdin:
            job = json.loads(line)
            log.truncate(0)
            log.seek(0)
            result = compile_function(job["source"], job["function"])
            if "error" in result:
                log.seek(0)
                result["error"] += "\n" + log.read().decode(errors="replace")
            print(json.dumps(result), file=answers, flush=True)


def compile_function(source: str, function: str) -> "dict[str, str]":
    """The instruction bytes of `function`; bcc raises plain exceptions of any kind."""
    from bcc import BPF  # type: ignore[import-not-found, unused-ignore] # noqa: PLC0415

    try:
        program = BPF(text=source, cflags=["-Wno-everything"])
        instructions = program.dump_func(function)
        program.cleanup()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"instructions": base64.b64encode(instructions).decode()}


main()
