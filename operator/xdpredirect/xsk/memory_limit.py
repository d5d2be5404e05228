"""How much memory the cgroups of this process still leave it. Called by `leases`.

The pages of a UMEM count for the cgroup of the agent, which made them, until they are freed. Where
a limit is reached the kernel ends a process of the cgroup, so the broker has to ask beforehand.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_NO_LIMIT = 1 << 62
"""Version 1 has a number for it: the largest multiple of a page."""
_SELF = Path("/proc/self")


class _Files(NamedTuple):
    """Of one version of cgroups: what they are called, and the page cache in the last of them,
    which the kernel drops before it ends anybody. Shared memory is not part of that."""

    limit: str
    usage: str
    cache: tuple[str, str]


_V1 = _Files(
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
)
_V2 = _Files("memory.max", "memory.current", ("inactive_file", "active_file"))


def memory_left() -> int | None:
    """Octets until the first limit that is to be seen from here; None where none is.

    In a container that is the one of the container; on a host those of all cgroups above it too.
    """
    found = [
        left
        for directory, files in _directories()
        if (left := _left_in(directory, files)) is not None
    ]
    return min(found, default=None)


def _left_in(directory: Path, files: _Files) -> int | None:
    """None for a cgroup without a limit, or without the controller."""
    # OSError where a file is missing, ValueError for the limit "max".
    with suppress(OSError, ValueError):
        limit = int((directory / files.limit).read_text())
        if limit >= _NO_LIMIT:
            return None
        usage = int((directory / files.usage).read_text())
        lines = (directory / "memory.stat").read_text().splitlines()
        counts = {name: count for name, _, count in (line.partition(" ") for line in lines)}
        return limit - usage + sum(int(counts.get(name, 0)) for name in files.cache)
    return None


def _directories() -> Iterator[tuple[Path, _Files]]:
    """Of the cgroup that has the memory controller, and of those above it."""
    cgroups = (_SELF / "cgroup").read_text(errors="replace").splitlines()
    mounts = (_SELF / "mountinfo").read_text(errors="replace").splitlines()
    for line in cgroups:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            files, mounted = _V1, _mounts(mounts, "cgroup", "memory")
        elif not controllers:
            files, mounted = _V2, _mounts(mounts, "cgroup2", "")
        else:
            continue
        for root, place in mounted:
            with suppress(ValueError):
                below = PurePosixPath(path).relative_to(root)
                for part in (below, *below.parents):
                    yield place / part, files


def _mounts(lines: list[str], kind: str, option: str) -> Iterator[tuple[str, Path]]:
    """Root within the hierarchy and place of each mount: proc_pid_mountinfo(5)."""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, (found, *_, options) = before.split(), after.split(" ")
        if found == kind and (not option or option in options.split(",")):
            yield fields[3], Path(fields[4])
