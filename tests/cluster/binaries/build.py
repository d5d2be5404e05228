"""Builds the programs that are missing, one line each.

Called by `python -m tests.cluster.binaries`.

At most two compilers at a time, niced: the machine may be running something else meanwhile. A
program appears under its name only when it is whole, so an interrupted build leaves nothing wrong.
"""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.binaries import toolchain
from tests.cluster.binaries.families import ENVIRONMENT, FAMILIES, Family, cache

COMPILERS = "2"
NICENESS = "10"


class BuildError(Exception):
    """`go build` failed; the message is its output."""


def missing(families: Sequence[Family] = FAMILIES) -> list[tuple[Family, str]]:
    """(family, program or file) that is not there, in the order of need."""
    return [
        (family, name)
        for family in families
        for name in (*family.programs, *family.files)
        if not (family.place / Path(name).name).exists()
    ]


def build_all(families: Sequence[Family] = FAMILIES) -> None:
    """Silent when nothing is missing. BuildError, ToolchainError.

    Whoever else builds meanwhile does so in turns, program by program: `make test` builds all of
    them in the background, and the first test that needs a program builds that one next.
    """
    while missing(families):
        with _turn():
            # Somebody may have built it while we waited.
            left = missing(families)
            if left:
                _build(*left[0])


def _build(family: Family, name: str) -> None:
    go = toolchain.find() or _fetched()
    family.place.mkdir(parents=True, exist_ok=True)
    if name in family.programs:
        _program(go, family, name)
    else:
        _file(go, family, name)


@contextmanager
def _turn() -> Iterator[None]:
    """Two checkouts that miss the same programs build them once."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetched() -> Path:
    begun = _begin(f"go: no Go {'.'.join(map(str, toolchain.NEEDED))} here, fetching one")
    go = toolchain.fetch()
    _end(begun)
    return go


def _program(go: Path, family: Family, name: str) -> None:
    begun = _begin(f"go build: {name} ({family.module} {family.version})")
    partial = family.place / f".{name}.{os.getpid()}"
    argv = ["nice", "-n", NICENESS, str(go), "build", "-p", COMPILERS, *family.flags]
    try:
        _go([*argv, "-o", str(partial), family.programs[name]], family)
        partial.rename(family.place / name)
    finally:
        partial.unlink(missing_ok=True)
    _end(begun)


def _file(go: Path, family: Family, name: str) -> None:
    module = _go([str(go), "list", "-m", "-f", "{{.Dir}}", family.module], family).strip()
    target = family.place / Path(name).name
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(Path(module, name), partial)
    partial.rename(target)


def _go(argv: list[str], family: Family) -> str:
    done = subprocess.run(
        argv,
        cwd=family.directory,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr.strip()}")
    return done.stdout


def _begin(what: str) -> float:
    print(f"{what} ...", end="", flush=True)
    return time.monotonic()


def _end(begun: float) -> None:
    print(f" {time.monotonic() - begun:.0f} s", flush=True)
