"""What runs on a node, as this machine's /proc tells: found by the cgroup that kubelet put it in.

Called by `machine`, by `leftovers` and by tests of what a container may do.
"""

import contextlib
from pathlib import Path

PROC = Path("/proc")


def in_cgroup(prefix: str) -> dict[int, str]:
    """Command names by pid, of all in cgroups of nodes whose names begin so."""
    return {
        pid: _read(pid, "comm").strip()
        for pid in _all()
        if any(line.split(":", 2)[2].startswith(f"/{prefix}") for line in _lines(pid, "cgroup"))
    }


def with_words(prefix: str, words: str) -> list[int]:
    """Those of them whose command line has these words, without the init in front of them."""
    found = ((pid, _read(pid, "cmdline").split("\0")) for pid in in_cgroup(prefix))
    return sorted(pid for pid, argv in found if words in " ".join(argv) and argv[0] != "tini")


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    pairs = (line.partition(":") for line in _lines(pid, "status"))
    return {key: value.strip() for key, _, value in pairs}


def root_options(pid: int) -> list[str]:
    """How the root of its file system is mounted."""
    fields = (line.split() for line in _lines(pid, "mountinfo"))
    (options,) = (words[5] for words in fields if words[4] == "/")
    return options.split(",")


def foreign() -> frozenset[int]:
    """Those in another PID namespace than this process's: on some node."""
    own = (PROC / "self/ns/pid").readlink()
    found: set[int] = set()
    for pid in _all():
        # A process may end between two looks at it.
        with contextlib.suppress(OSError):
            if (PROC / str(pid) / "ns/pid").readlink() != own:
                found.add(pid)
    return frozenset(found)


def _all() -> list[int]:
    return [int(path.name) for path in PROC.iterdir() if path.name.isdigit()]


def _lines(pid: int, file: str) -> list[str]:
    return _read(pid, file).splitlines()


def _read(pid: int, file: str) -> str:
    """Empty when it has ended."""
    try:
        return (PROC / str(pid) / file).read_text()
    except OSError:
        return ""
