"""Network namespaces: making them, entering them with the calling thread, leaving nothing behind.

Called by `topology` and `host`; `enter` also by tests that run code of ours inside a host.
"""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.kernel.lab.errors import LabError

NETNS_DIR = Path("/run/netns")
CLONE_NEWNET = 0x40000000


def command(argv: Sequence[str]) -> str:
    """Runs a command of the machine and returns its output; LabError with its words otherwise."""
    done = subprocess.run(list(argv), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def ip(name: str, *words: str) -> str:
    """`ip` inside a namespace.

    Not `ip -n`: that also makes a mount namespace, which fails in a plain chroot.
    """
    return command(["nsenter", f"--net={NETNS_DIR / name}", "ip", *words])


def create(name: str, *, ipv6: bool) -> None:
    """A namespace with `lo` up and none of the frames that a kernel sends of its own accord.

    Without `ipv6` no link gets a link-local address, so no router solicitation and no MLD report
    is among the frames that a test counts. With it, addresses that a test adds are usable at once
    (no duplicate detection), but adding one makes the kernel report its multicast group.
    """
    command(["ip", "netns", "add", name])
    try:
        _quieten(name, ipv6=ipv6)
        ip(name, "link", "set", "lo", "up")
    except BaseException:
        command(["ip", "netns", "delete", name])
        raise


def _quieten(name: str, *, ipv6: bool) -> None:
    with enter(NETNS_DIR / name):
        for scope in ("all", "default"):
            conf = Path("/proc/sys/net/ipv6/conf") / scope
            for key, value in (("disable_ipv6", int(not ipv6)), ("accept_dad", 0)):
                (conf / key).write_text(str(value))
            for key in ("accept_ra", "autoconf", "router_solicitations"):
                (conf / key).write_text("0")
        # none: a link gets no address from its MAC
        Path("/proc/sys/net/ipv6/conf/default/addr_gen_mode").write_text("1")


def delete(name: str) -> None:
    """Removes its links first, so that the kernel frees their programs at once."""
    for line in ip(name, "-o", "link", "show").splitlines():
        device = line.split(":")[1].strip().split("@")[0]
        if device != "lo":
            # The peer of a veth that was just deleted is gone already.
            with contextlib.suppress(LabError):
                ip(name, "link", "delete", device)
    command(["ip", "netns", "delete", name])


def processes_in(name: str) -> dict[int, str]:
    """Processes whose network namespace is that one: command names by pid."""
    wanted = (NETNS_DIR / name).stat().st_ino
    found: dict[int, str] = {}
    for proc in Path("/proc").iterdir():
        if not proc.name.isdigit() or int(proc.name) == os.getpid():
            continue
        # A process may end between two looks at it.
        with contextlib.suppress(OSError):
            if (proc / "ns/net").stat().st_ino == wanted:
                found[int(proc.name)] = (proc / "comm").read_text().strip()
    return found


@contextlib.contextmanager
def enter(path: Path) -> Iterator[None]:
    """The calling thread, and only it, is in the network namespace at `path` until the end.

    Sockets opened there stay there. /proc/sys/net and /proc/thread-self/net follow; /sys/class/net
    does not, because sysfs belongs to whoever mounted it.
    """
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        inside = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(inside)
        finally:
            os.close(inside)
        try:
            yield
        finally:
            _setns(before)
    finally:
        os.close(before)


def _setns(fd: int) -> None:
    """os.setns came with Python 3.12; Debian 12 has 3.11."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise LabError(f"setns: {os.strerror(code)}")
