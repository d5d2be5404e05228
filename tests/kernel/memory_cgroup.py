"""A memory cgroup of either version, for processes of a test. Used by test_xsk_memory.py and
tests/bench/sockets.py."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_V1, _V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
_NAME = "xdpredirect-memory"
_EMPTY_SECONDS = 60.0


class MemoryCgroup:
    """`join` before a command puts it there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._v1 = (path / "memory.usage_in_bytes").exists()
        self.join = ["sh", "-c", f'echo $$ > {path}/cgroup.procs && exec "$@"', "sh"]

    def limit(self, octets: int) -> None:
        """More than that is never charged: the kernel ends a process instead."""
        (self.path / ("memory.limit_in_bytes" if self._v1 else "memory.max")).write_text(
            str(octets)
        )

    def usage(self) -> int:
        """Octets that are charged now."""
        name = "memory.usage_in_bytes" if self._v1 else "memory.current"
        return int((self.path / name).read_text())

    def kills(self) -> int:
        """How many processes the kernel has ended there."""
        name = "memory.oom_control" if self._v1 else "memory.events"
        lines = (self.path / name).read_text().splitlines()
        return int(dict(line.split() for line in lines)["oom_kill"])


@contextmanager
def memory_cgroup() -> Iterator[MemoryCgroup]:
    """Until the end of the block, by which its processes have ended."""
    path = (_V1 if _V1.is_dir() else _V2) / _NAME
    path.mkdir()
    try:
        yield MemoryCgroup(path)
    finally:
        deadline = time.monotonic() + _EMPTY_SECONDS
        while (path / "cgroup.procs").read_text():
            assert time.monotonic() < deadline, f"processes stay in {path}"
            time.sleep(0.05)
        path.rmdir()
