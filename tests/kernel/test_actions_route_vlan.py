"""Route through VLAN devices, in both directions, by BPF_PROG_TEST_RUN inside real namespaces.

The kernel of a test machine may lack VLAN devices. A program knows one by its number only, and the
routing table asks for nothing more; so plain links stand in for them here, and the resolver is
told that they are VLAN devices above the ports.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layers

from tests.kernel.bytecode import XDP_PASS, attached, verdict
from tests.kernel.lab import Lab
from tests.kernel.lab.topology import ifindex
from tests.kernel.loaded import Loaded, loaded
from tests.kernel.switch import CATCH_ALL, redirect, rule
from tests.spec.frames import Tag, ethernet, ip4, ip6, service, vlan
from xdpredirect.api.load import load_text
from xdpredirect.datapath.abi import PAIR, U32
from xdpredirect.host import Host, Link
from xdpredirect.kernel.host import observe_host

XDP_REDIRECT = 4
NEIGHBOUR = "02:0a:00:00:00:aa"
IN_VID, OUT_VID, PRIORITY = 5, 7, 6


@dataclass(frozen=True)
class Row:
    """A packet as it came, the port it goes to ("" for the stack), and its tags there."""

    description: str
    ip: Layers
    came: tuple[Tag, ...]
    port: str
    left: tuple[Tag, ...] = ()


def to4(address: str) -> Layers:
    """An IPv4 packet from the network behind the ingress."""
    return ip4("192.0.2.10", address) / UDP(sport=1, dport=2)


def to6(address: str) -> Layers:
    """An IPv6 packet from the network behind the ingress."""
    return ip6("2001:db8:1::10", address) / UDP(sport=1, dport=2)


PLAIN4, TAGGED4, TAGGED6 = "198.51.100.20", "203.0.113.20", "2001:db8:7::20"
ROWS = (
    Row("untagged to untagged", to4(PLAIN4), (), "p1"),
    Row("untagged into a VLAN", to4(TAGGED4), (), "p2", (vlan(OUT_VID),)),
    Row("IPv6 into a VLAN", to6(TAGGED6), (), "p2", (vlan(OUT_VID),)),
    Row("out of a VLAN", to4(PLAIN4), (vlan(IN_VID, PRIORITY),), "p1"),
    Row("VLAN to VLAN", to4(TAGGED4), (vlan(IN_VID, PRIORITY),), "p2", (vlan(OUT_VID, PRIORITY),)),
    Row("IPv6 VLAN to VLAN", to6(TAGGED6), (vlan(IN_VID),), "p2", (vlan(OUT_VID),)),
    Row("a VLAN without a device", to4(PLAIN4), (vlan(6),), ""),
    Row("the VLAN of another port", to4(PLAIN4), (vlan(OUT_VID),), ""),
    Row("two tags", to4(PLAIN4), (service(IN_VID), vlan(IN_VID)), ""),
)


def a_vlan(host: Host, name: str, port: str, vid: int) -> tuple[Link, ...]:
    """The links of a host, with one taken for a VLAN device above a port."""
    lower = next(link.ifindex for link in host.links if link.name == port)
    return tuple(
        replace(link, kind="vlan", lower=lower, lower_here=True, vlan_id=vid)
        if link.name == name
        else link
        for link in host.links
    )


@contextlib.contextmanager
def router(lab: Lab) -> Iterator[Loaded]:
    """The program of `in`; `in5` stands for its VLAN 5, `out7` for VLAN 7 of `p2`."""
    dut = lab.host("dut", ipv6=True)
    lab.host("far", ipv6=True)
    near = {n: lab.veth(("dut", n), ("far", n))[0] for n in ("in", "p1", "p2", "in5", "out7")}
    for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        dut.sysctl(key, "1")
    dut.address("in", "192.0.2.1/25", "2001:db8:1::1/64")
    dut.address("in5", "192.0.2.129/25")
    dut.address("p1", "198.51.100.1/24")
    dut.address("out7", "203.0.113.1/24", "2001:db8:7::1/64")
    for name, address in (("p1", PLAIN4), ("out7", TAGGED4), ("out7", TAGGED6)):
        words = ("lladdr", NEIGHBOUR, "nud", "permanent", "dev", name)
        dut.ip("neighbour", "add", address, *words)
    text = redirect(rule("r", CATCH_ALL, "{type: Route}")).replace("MODE", "Native")
    # TEST_RUN takes a receive queue of a device only while a program runs there.
    with attached(near["in"], verdict(XDP_PASS)), dut.enter():
        host = observe_host()
        host = replace(host, links=a_vlan(host, "in5", "in", IN_VID))
        host = replace(host, links=a_vlan(host, "out7", "p2", OUT_VID))
        with loaded(load_text(text, "test").redirects, (), host, "in") as program:
            yield program


def forwarded(row: Row, source: bytes) -> bytes:
    """The frame as a router sends it on, made by scapy, which computes the checksum anew."""
    packet = Ether(ethernet(row.ip))
    if IP in packet:
        packet[IP].ttl -= 1
        del packet[IP].chksum
    else:
        packet[IPv6].hlim -= 1
    return ethernet(packet.payload, tags=row.left, source=source.hex(":"), destination=NEIGHBOUR)


def only(program: Loaded, port: int) -> None:
    """Leaves `port` the only device that routes may lead to."""
    routes = program.maps["route"]
    for key in list(routes.keys()):
        routes.delete(key)
    routes.put(U32.pack(port), PAIR.pack(port, 0))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.description)
def test_routes_through_vlan_devices(lab: Lab, row: Row) -> None:
    frame = ethernet(row.ip, tags=row.came)
    with router(lab) as program:
        dut = lab.host("dut")
        ingress, out = ifindex(dut, "in"), {n: ifindex(dut, n) for n in ("p1", "p2")}
        results = {}
        for name, number in out.items():
            only(program, number)
            results[name] = program.run(frame, ifindex=ingress)
        for name, result in results.items():
            if name == row.port:
                mac_of = "out7" if row.left else name
                source = next(k.mac for k in observe_host().links if k.name == mac_of)
                assert (result.verdict, result.frame) == (XDP_REDIRECT, forwarded(row, source))
            else:
                # Not the way out, or none at all: the frame goes to the stack as it came.
                assert (result.verdict, result.frame) == (XDP_PASS, frame)
