"""One owner per state directory and per bpffs directory, by flock on both.

Called by the commands `apply`, `delete` and `agent` around everything that writes to the kernel;
`agent.loop` runs inside of it and takes no lock itself. The kernel releases a dead owner's lock,
so there is nothing to clean up after a crash.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from xdpredirect.errors import KernelError, Locked

LOCK_FILE = "lock"
PROBE_RETRIES, PROBE_SECONDS = 4, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lock. `files` is the directory that a running agent follows, None for a command
    that ends by itself. `pid` is 0 when it lives in another PID namespace."""

    pid: int
    command: str
    files: Path | None = None

    def __str__(self) -> str:
        """For messages: `pid 812 (xdpredirect agent --files /etc/xdp)`."""
        return f"pid {self.pid} ({self.command})" if self.pid else "a process in another container"


@contextmanager
def hold(state_dir: Path, bpffs: Path, files: Path | None = None) -> Iterator[None]:
    """Own both directories until the block ends; they are made when missing.

    `files` is told to whoever finds the lock taken; only the agent gives it. Raises Locked naming
    the holder, KernelError when a directory cannot be made.
    """
    _make(state_dir)
    _make(bpffs)
    lock_path = state_dir / LOCK_FILE
    state_fd = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    bpffs_fd = -1
    try:
        _take(state_fd, state_dir)
        # Nothing but a directory can be opened in a bpffs, and flock takes any descriptor.
        bpffs_fd = os.open(bpffs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        _take(bpffs_fd, bpffs)
        _introduce(state_fd, files)
        yield
    finally:
        for fd in (bpffs_fd, state_fd):
            if fd >= 0:
                os.close(fd)


def holder(state_dir: Path) -> Holder | None:
    """Who holds the state directory now; None when nobody does."""
    try:
        fd = os.open(state_dir / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(fd)
    finally:
        os.close(fd)
    return None


def _take(fd: int, path: Path) -> None:
    for attempt in range(PROBE_RETRIES, -1, -1):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not attempt:
                raise Locked(str(path), str(_holder(fd))) from None
        # `holder` of another process takes the lock for a moment to see whether it is free.
        time.sleep(PROBE_SECONDS)


def _introduce(fd: int, files: Path | None) -> None:
    """Say in the lock file who we are; what a dead owner left there is overwritten."""
    text = json.dumps({"pid": os.getpid(), "files": str(files) if files else None}).encode()
    os.ftruncate(fd, 0)
    os.pwrite(fd, text, 0)


def _holder(fd: int) -> Holder:
    """The holder by the kernel's word; the lock file adds which directory it follows, and its pid
    on file systems whose device number /proc/locks does not show (overlayfs, btrfs)."""
    pid, files = _locking_pid(os.fstat(fd)), None
    with suppress(ValueError, KeyError, OSError, TypeError):
        told = json.loads(os.pread(fd, 65536, 0))
        pid = pid or (told["pid"] if Path(f"/proc/{told['pid']}").exists() else 0)
        if told["pid"] == pid and told.get("files"):
            files = Path(told["files"])
    return Holder(pid=pid, command=_command(pid) if pid else "", files=files)


def _locking_pid(stat: os.stat_result) -> int:
    """From /proc/locks: `1: FLOCK ADVISORY WRITE 812 00:1c:4711 0 EOF` (device hex, inode)."""
    wanted = f"{os.major(stat.st_dev):02x}:{os.minor(stat.st_dev):02x}:{stat.st_ino}"
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if "->" not in fields and len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == wanted:
            return max(0, int(fields[4]))
    return 0


def _command(pid: int) -> str:
    """The command line of a process, shortened to the name of its program."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode("utf-8", "replace")
    except OSError:
        return "ended"
    parts = words.split("\0")
    if len(parts) > 1 and "python" in Path(parts[0]).name:
        # `python3 [-m] xdpredirect agent`: the interpreter says nothing to the reader.
        parts = [part for part in parts[1:] if part != "-m"]
    return " ".join([Path(parts[0]).name or parts[0], *parts[1:]])[:200]


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o755)
    except OSError as error:
        raise KernelError(f"make {directory}", error.errno or errno.EIO) from error
