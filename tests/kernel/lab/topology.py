"""Hosts and wires, made for one test and taken down with it.

Called by the `lab` fixture, benches and the demo.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType

from tests.kernel.lab import netns
from tests.kernel.lab.errors import LabError
from tests.kernel.lab.host import Host
from tests.kernel.lab.port import Port
from tests.kernel.lab.tap import Tap

# Not below /tmp: a bpffs of ours must survive a cleaner of temporary files.
LAB_ROOT = Path("/run/xdpredirect-lab")
NAME_PREFIX = "xr"
_serial = itertools.count(1)

# Checksums are written by the sender and tags stay in the frame, so that what XDP sees and what a
# counter sees is what was sent.
PLAIN = ("tx", "off", "txvlan", "off", "rxvlan", "off", "tx-vlan-stag-hw-insert", "off")


class Lab:
    """Names given to it are the test's; the kernel's are unique to this process and lab."""

    def __init__(self) -> None:
        self._prefix = f"{NAME_PREFIX}{os.getpid()}-{next(_serial)}-"
        self._directory = LAB_ROOT / self._prefix.rstrip("-")
        self._hosts: dict[str, Host] = {}
        self._taps: list[Tap] = []
        self._macs = itertools.count(1)

    def __enter__(self) -> "Lab":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def host(self, name: str, *, ipv6: bool = False) -> Host:
        """The host of that name, made when it is first asked for; see `netns.create` for `ipv6`."""
        if name not in self._hosts:
            kernel_name = self._prefix + name
            netns.create(kernel_name, ipv6=ipv6)
            self._hosts[name] = Host(name, kernel_name, self._directory / name)
        return self._hosts[name]

    def veth(
        self,
        near: tuple[str, str],
        far: tuple[str, str],
        *,
        mtu: int = 1500,
        queues: int = 1,
        tuned: bool = True,
    ) -> tuple[Port, Port]:
        """A wire between two (host, interface), both up; `near` is where XDP will be.

        Tuned: no checksum or VLAN offload at either end, and GRO at `far`, without which a frame
        redirected to `near` is refused. Untuned: as the kernel makes a veth, the state in which
        the traps of real machines show.
        """
        ends = [(self.host(host), name, self._mac()) for host, name in (near, far)]
        words: list[str] = ["link", "add"]
        for position, (host, name, mac) in enumerate(ends):
            words += ["type", "veth", "peer"] if position else []
            words += ["name", name, "netns", host.netns, "address", mac.hex(":"), "mtu", str(mtu)]
            words += ["numtxqueues", str(queues), "numrxqueues", str(queues)]
        netns.command(["ip", *words])
        for host, name, _ in ends:
            host.ip("link", "set", name, "addrgenmode", "none", "up")
        if tuned:
            for host, name, _ in ends:
                host.ethtool("-K", name, *PLAIN)
            # Only a link that is up announces that it can be transmitted to when GRO comes on.
            ends[1][0].ethtool("-K", ends[1][1], "gro", "on")
        first, second = (Port(host, name, ifindex(host, name), mac) for host, name, mac in ends)
        return first, second

    def tap(self, host: str, name: str) -> Tap:
        """A tap device, up; closed with the lab."""
        tap = Tap(self.host(host), name)
        self._taps.append(tap)
        self.host(host).ip("link", "set", name, "addrgenmode", "none", "up")
        return tap

    def close(self) -> None:
        """Takes everything down; LabError names processes that a test left in a host."""
        for tap in self._taps:
            tap.close()
        left: list[str] = []
        for host in self._hosts.values():
            left += [f"{host.name}: {comm} ({pid})" for pid, comm in end_processes(host.netns)]
            netns.delete(host.netns)
        remove_directory(self._directory)
        self._hosts.clear()
        if left:
            raise LabError("processes were left running in " + ", ".join(left))

    def _mac(self) -> bytes:
        """Locally administered, the same in every run."""
        return b"\x02\x00\x00\x00" + next(self._macs).to_bytes(2, "big")


def ifindex(host: Host, name: str) -> int:
    """The number of an interface in its namespace."""
    return int(json.loads(host.ip("-j", "link", "show", "dev", name))[0]["ifindex"])


def end_processes(kernel_name: str) -> list[tuple[int, str]]:
    """Kills what runs in a namespace of ours and waits for the end; returns what that was."""
    found = netns.processes_in(kernel_name)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5.0
    while netns.processes_in(kernel_name) and time.monotonic() < deadline:
        time.sleep(0.01)
    return sorted(found.items())


def remove_directory(directory: Path) -> None:
    """Unmounts every bpffs below it, which lets go of all that was pinned, and removes it."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in mounts:
        if Path(mount).is_relative_to(directory):
            netns.command(["umount", mount])
    if directory.exists():
        shutil.rmtree(directory)
