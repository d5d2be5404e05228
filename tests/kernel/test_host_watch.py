"""Every change that matters wakes the watch, and nothing else does."""

import os
import select
import socket
import threading
from collections.abc import Callable

import pytest

from tests.kernel.bytecode import XDP_PASS, verdict
from tests.kernel.lab import Lab, Port
from xdpredirect.kernel.bpf import pin
from xdpredirect.kernel.programs import AttachType, load_program
from xdpredirect.kernel.watch import LinkWatch

Change = Callable[[Port, Port], object]


def readable(watch: LinkWatch, seconds: float) -> bool:
    return bool(select.select(watch.filenos(), [], [], seconds)[0])


def drained(watch: LinkWatch) -> None:
    """Until all is quiet: the kernel reports some changes a moment later."""
    while readable(watch, 0.15):
        watch.drain()


CHANGES: dict[str, Change] = {
    "add": lambda p, _: p.host.ip("link", "add", "x0", "type", "veth", "peer", "x1"),
    "delete": lambda p, _: p.host.ip("link", "delete", p.name),
    "rename": lambda p, _: p.host.ip("link", "set", p.name, "name", "other"),
    "altname": lambda p, _: p.host.ip("link", "property", "add", "dev", p.name, "altname", "z"),
    "down": lambda p, _: p.host.ip("link", "set", p.name, "down"),
    "carrier": lambda _, peer: peer.host.ip("link", "set", peer.name, "down"),
    "MTU": lambda p, _: p.host.ip("link", "set", p.name, "mtu", "1400"),
    "promiscuous": lambda p, _: p.host.ip("link", "set", p.name, "promisc", "on"),
    "IPv4 address": lambda p, _: p.host.address(p.name, "192.0.2.1/24"),
    "IPv6 address": lambda p, _: p.host.address("lo", "2001:db8::1/128"),
    "offload": lambda p, _: p.host.ethtool("-K", p.name, "rxvlan", "on"),
    "XDP features": lambda _, peer: peer.host.ethtool("-K", peer.name, "gro", "off"),
    "channels": lambda p, _: p.host.ethtool("-L", p.name, "rx", "1", "tx", "1"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_wakes(lab: Lab, change: Change) -> None:
    lab.host("dut", ipv6=True)
    port, peer = lab.veth(("dut", "p1"), ("a", "eth0"), queues=2)
    with port.host.enter(), LinkWatch() as watch:
        drained(watch)
        assert not watch.drain()
        change(port, peer)
        assert readable(watch, 30.0)
        assert watch.drain()
        drained(watch)


def test_a_program_attached_by_netlink_wakes(lab: Lab) -> None:
    port, _ = lab.veth(("dut", "p1"), ("a", "eth0"))
    program = load_program("test", verdict(XDP_PASS), AttachType.XDP, False)
    path = port.host.bpffs / "program"
    pin(program, path)
    os.close(program)
    with port.host.enter(), LinkWatch() as watch:
        for words in (["pinned", str(path)], ["off"]):
            drained(watch)
            port.host.run(["ip", "link", "set", "dev", "p1", "xdpgeneric", *words])
            assert readable(watch, 30.0)
            assert watch.drain()
    path.unlink()


def test_another_namespace_does_not_wake(lab: Lab) -> None:
    dut, a = lab.host("dut"), lab.host("a")
    with dut.enter(), LinkWatch() as watch:
        drained(watch)
        a.ip("link", "add", "x0", "type", "veth", "peer", "x1")
        assert not readable(watch, 0.5)


def test_more_events_than_the_socket_holds(lab: Lab) -> None:
    dut = lab.host("dut")
    dut.ip("link", "add", "x0", "type", "veth", "peer", "x1")
    flood = "\n".join(f"link set x0 mtu {1000 + n % 2}" for n in range(3000))
    with dut.enter(), LinkWatch() as watch, LinkWatch() as twin:
        dut.run(["ip", "-batch", "-"], stdin=flood)
        copy = os.dup(twin.filenos()[0])
        with socket.socket(fileno=copy) as raw, pytest.raises(OSError, match="No buffer space"):
            raw.recv(16)
        assert watch.drain()
        drained(watch)
        dut.ip("link", "set", "x0", "mtu", "1400")
        assert readable(watch, 30.0)
        assert watch.drain()


def test_draining_never_waits(lab: Lab) -> None:
    with lab.host("dut").enter(), LinkWatch() as watch:
        drained(watch)
        thread = threading.Thread(target=watch.drain)
        thread.start()
        thread.join(30.0)
        assert not thread.is_alive()
