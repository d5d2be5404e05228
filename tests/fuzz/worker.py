"""A process that works through a range of cases and prints a line of JSON for each.

Started by `campaign` as `python -m tests.fuzz.worker KIND SEED FIRST LAST FRAMES CACHE FINDINGS`.
It lives in a network namespace of its own, where nothing is reachable and no route exists.
"""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.batch import BatchCompiler
from tests.fuzz.case import Case, Shape, make_case, objects_of
from tests.fuzz.invalid import check_text
from tests.fuzz.minimise import minimise
from tests.fuzz.valid import OTHER_DEVICE, Failure, check, other_ifindex, write
from xdpredirect.api.redirect import XdpRedirect

_CLONE_NEWNET = 0x40000000


def main(arguments: Sequence[str]) -> None:
    """`FIRST` up to, not including, `LAST`; an empty CACHE keeps no compiled programs."""
    kind, seed, first, last, frames, cache, findings = arguments
    numbers = range(int(first), int(last))
    if kind == "invalid":
        for number in numbers:
            _say(number=number, objects=1, failure=check_text(f"{seed}/invalid/{number}"))
        return
    _own_namespace()
    compiler = BatchCompiler("/usr/bin/python3", Path(cache))
    try:
        for number in numbers:
            shape = Shape(
                objects=objects_of(number),
                frames=int(frames),
                crowded=kind == "crowded",
                fallback=kind == "fallback",
            )
            _valid(f"{seed}/{number}", number, shape, (compiler, Path(findings)))
    finally:
        compiler.close()


def _own_namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare: run as root")
    pair = ["type", "veth", "peer", "name", f"{OTHER_DEVICE}p"]
    subprocess.run(["ip", "link", "add", OTHER_DEVICE, *pair], check=True)


def _valid(seed: str, number: int, shape: Shape, tools: tuple[BatchCompiler, Path]) -> None:
    compiler, findings = tools
    try:
        case = make_case(seed, shape, other_ifindex())
        result = check(case, compiler, case.redirects)
        failure = result.failure
        if failure:
            kept = _minimised(case, compiler, failure)
            write(findings, case, failure, kept)
        _say(
            number=number,
            objects=shape.objects,
            rules=result.rules,
            frames=result.frames,
            refused=result.refused,
            failure=f"{failure.kind}: {failure.message}" if failure else "",
        )
    except Exception as error:
        _say(number=number, objects=shape.objects, failure=f"{type(error).__name__}: {error}"[:500])


def _minimised(case: Case, compiler: BatchCompiler, first: Failure) -> Sequence[XdpRedirect]:
    def fails(objects: Sequence[XdpRedirect]) -> bool:
        failure = check(case, compiler, objects).failure
        return failure is not None and failure.kind == first.kind

    # The verifier takes long to refuse, and all of a large program is the finding.
    return case.redirects if "Verifier" in first.kind else minimise(case.redirects, fails)


def _say(**words: object) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    os.nice(5)
    main(sys.argv[1:])
