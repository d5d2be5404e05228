"""One host of the laboratory: a network namespace with a bpffs and a state directory of its own.

Made by `Lab.host`. An agent run on it owns exactly these, as on a machine of its own.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.kernel.lab import netns
from tests.kernel.lab.errors import LabError

# The kernel puts these iterators into every new bpffs (CONFIG_BPF_PRELOAD).
KERNEL_PINS = (Path("maps.debug"), Path("progs.debug"))


class Host:
    """`name` as the test says it, `netns` as the kernel knows it (unique on this machine)."""

    def __init__(self, name: str, kernel_name: str, directory: Path) -> None:
        self.name, self.netns = name, kernel_name
        self.path = netns.NETNS_DIR / kernel_name
        self.state_dir = directory / "state"
        self._bpffs = directory / "bpf"
        self.state_dir.mkdir(parents=True)
        self._bpffs.mkdir()

    @property
    def bpffs(self) -> Path:
        """Mount point of a bpffs that only this host uses; mounted when first asked for."""
        if not self._bpffs.is_mount():
            netns.command(["mount", "-t", "bpf", "bpf", str(self._bpffs)])
        return self._bpffs

    @property
    def environment(self) -> dict[str, str]:
        """What makes `xdpredirect` on this host use its directories."""
        return {
            "XDPREDIRECT_BPFFS": str(self.bpffs / "xdpredirect"),
            "XDPREDIRECT_STATE_DIR": str(self.state_dir),
            "XDPREDIRECT_SOCKETS_DIR": str(self.state_dir / "sockets"),
        }

    def pins(self) -> list[str]:
        """Paths of all pinned objects, relative to `bpffs`, sorted."""
        return pinned_in(self.bpffs)

    def enter(self) -> AbstractContextManager[None]:
        """Puts the calling thread into the host's network namespace; see `netns.enter`."""
        return netns.enter(self.path)

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        timeout: float = 180.0,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the host to its end. With `check`, LabError unless it exits 0.

        nsenter, not `ip netns exec`: the latter hides every mount under /sys, tracefs among them.
        """
        done = subprocess.run(
            [*self._nsenter(), *argv],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            input=stdin,
            env={**os.environ, **self.environment, **(env or {})},
        )
        if check and done.returncode != 0:
            words = done.stderr.strip() or done.stdout.strip()
            raise LabError(f"{self.name}: {' '.join(argv)}: exit {done.returncode}: {words}")
        return done

    @contextlib.contextmanager
    def running(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """A command in the background; it gets SIGTERM at the end, SIGKILL a minute later.

        Its two outputs are one pipe, text. The pid is the command's own (nsenter execs it).
        """
        process = subprocess.Popen(
            [*self._nsenter(), *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **self.environment, **(env or {})},
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    def ip(self, *words: str) -> str:
        """`ip` inside the host, such as `host.ip("route", "add", "default", "via", "10.0.0.1")`."""
        return netns.ip(self.netns, *words)

    def ethtool(self, *words: str) -> str:
        """`ethtool` inside the host."""
        return self.run(["ethtool", *words]).stdout

    def address(self, ifname: str, *prefixes: str) -> None:
        """Adds addresses, such as "10.0.0.1/24", usable at once."""
        for prefix in prefixes:
            nodad = ["nodad"] if ":" in prefix else []
            self.ip("address", "add", prefix, "dev", ifname, *nodad)

    def sysctl(self, key: str, value: str) -> None:
        """Writes /proc/sys/net/<key> of the host, such as `ipv4/ip_forward`."""
        with self.enter():
            (Path("/proc/sys/net") / key).write_text(value)

    def _nsenter(self) -> list[str]:
        return ["nsenter", f"--net={self.path}"]


def pinned_in(bpffs: Path) -> list[str]:
    """Paths of what is pinned in a bpffs, relative to it, sorted, without the kernel's own."""
    paths = (path.relative_to(bpffs) for path in bpffs.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if path not in KERNEL_PINS)
