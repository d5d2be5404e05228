"""Route: the host's own table sends frames on, with a lower TTL and the neighbour's address; what
it cannot send goes to the stack as it came."""

from dataclasses import dataclass

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layers

from tests.kernel.lab import Lab
from tests.kernel.switch import CATCH_ALL, Switch, both_modes, redirect, rule, switch
from tests.spec.frames import ethernet, ip4, ip6, vlan

N = 5
NEIGHBOUR = "02:0a:00:00:00:aa"
FROM4, FROM6 = "192.0.2.10", "2001:db8:1::10"
PORTS = ("in", "p1", "p2")


def routed(s: Switch, *documents: str) -> None:
    """IPv4 routes of the host: p1 is the way to 198.51.100.0/24 and behind it, p2 that of table
    100. Only the routers are known neighbours. Then the objects are applied."""
    dut = s.dut
    dut.sysctl("ipv4/ip_forward", "1")
    dut.address("in", "192.0.2.1/24")
    dut.address("p1", "198.51.100.1/24")
    neighbour = ("lladdr", NEIGHBOUR, "nud", "permanent", "dev")
    dut.ip("neighbour", "add", "198.51.100.20", *neighbour, "p1")
    dut.ip("route", "add", "203.0.113.0/24", "via", "198.51.100.20")
    dut.ip("route", "add", "blackhole", "203.0.113.128/25")
    dut.ip("route", "add", "unreachable", "203.0.113.64/26")
    dut.address("p2", "192.0.2.193/30")
    dut.ip("neighbour", "add", "192.0.2.194", *neighbour, "p2")
    dut.ip("route", "add", "203.0.113.0/24", "via", "192.0.2.194", "table", "100")
    s.apply(*documents)


def routed6(s: Switch) -> None:
    """The same for IPv6: 2001:db8:2::/64 is at p1, 2001:db8:3::/48 behind it."""
    dut = s.dut
    dut.sysctl("ipv6/conf/all/forwarding", "1")
    dut.address("in", "2001:db8:1::1/64")
    dut.address("p1", "2001:db8:2::1/64")
    neighbour = ("lladdr", NEIGHBOUR, "nud", "permanent", "dev", "p1")
    dut.ip("neighbour", "add", "2001:db8:2::20", *neighbour)
    dut.ip("-6", "route", "add", "2001:db8:3::/48", "via", "2001:db8:2::20")
    dut.ip("-6", "route", "add", "blackhole", "2001:db8:3:1::/64")


@dataclass(frozen=True)
class Row:
    """A packet and where it goes: a port, or "" for the stack."""

    description: str
    ip: Layers
    out: str = "p1"
    tags: tuple[tuple[int, int], ...] = ()


def to4(address: str, **fields: object) -> Layers:
    """An IPv4 packet from the ingress network."""
    return ip4(FROM4, address, **fields) / UDP(sport=1, dport=2) / bytes(20)


def to6(address: str, **fields: object) -> Layers:
    """An IPv6 packet from the ingress network."""
    return ip6(FROM6, address, **fields) / UDP(sport=1, dport=2) / bytes(20)


ROWS = (
    Row("IPv4 neighbour", to4("198.51.100.20")),
    Row("IPv4 through a router", to4("203.0.113.9")),
    Row("IPv4 TTL 255", to4("203.0.113.9", ttl=255)),
    Row("IPv4 TTL 2", to4("203.0.113.9", ttl=2)),
    Row("IPv4 TTL 1", to4("203.0.113.9", ttl=1), ""),
    Row("IPv4 TTL 0", to4("203.0.113.9", ttl=0), ""),
    Row("IPv4 checksum that wraps", to4("203.0.113.9", id=0x2B4A)),
    Row("IPv4 TCP", ip4(FROM4, "203.0.113.9") / TCP(sport=1, dport=2)),
    Row("IPv4 first fragment", to4("203.0.113.9", flags="MF")),
    Row("IPv4 later fragment", ip4(FROM4, "203.0.113.9", frag=9, proto=17) / bytes(20)),
    # The stack looks at options.
    Row("IPv4 with options", IP(src=FROM4, dst="203.0.113.9", options=b"\1\1\1\1") / UDP(), ""),
    Row("IPv4 neighbour unknown", to4("198.51.100.99"), ""),
    Row("IPv4 no route", to4("8.8.8.8"), ""),
    Row("IPv4 blackhole", to4("203.0.113.200"), ""),
    Row("IPv4 unreachable", to4("203.0.113.70"), ""),
    Row("IPv4 of the host itself", to4("198.51.100.1"), ""),
    Row("IPv4 broadcast", to4("198.51.100.255"), ""),
    Row("IPv6 neighbour", to6("2001:db8:2::20")),
    Row("IPv6 through a router", to6("2001:db8:3::9")),
    Row("IPv6 hop limit 2", to6("2001:db8:3::9", hlim=2)),
    Row("IPv6 hop limit 1", to6("2001:db8:3::9", hlim=1), ""),
    Row("IPv6 neighbour unknown", to6("2001:db8:2::99"), ""),
    Row("IPv6 no route", to6("2001:db8:9::9"), ""),
    Row("IPv6 blackhole", to6("2001:db8:3:1::9"), ""),
    Row("IPv6 of the host itself", to6("2001:db8:2::1"), ""),
    # No VLAN device of the host takes this tag.
    Row("IPv4 tagged", to4("203.0.113.9"), "", (vlan(7),)),
)


def forwarded(frame: bytes, source: bytes) -> bytes:
    """The frame as a router sends it on, made by scapy, which computes the checksum anew."""
    packet = Ether(frame)
    packet.dst, packet.src = NEIGHBOUR, source.hex(":")
    if IP in packet:
        packet[IP].ttl -= 1
        del packet[IP].chksum
    else:
        packet[IPv6].hlim -= 1
    return bytes(packet)


@both_modes
@pytest.mark.parametrize("on_miss", ["", ", onMiss: Drop"], ids=["pass", "drop"])
def test_packets_take_the_way_of_the_routing_table(lab: Lab, mode: str, on_miss: str) -> None:
    with switch(lab, mode, PORTS, ipv6=True) as s:
        routed6(s)
        routed(s, redirect(rule("r", CATCH_ALL, f"{{type: Route{on_miss}}}")))
        wrong = {}
        for row in ROWS:
            frame = ethernet(row.ip, tags=row.tags)
            with s.far["p1"].counter(is_ours) as p1, s.near["in"].counter(is_ours) as stack:
                s.far["in"].send([frame])
                (p1 if row.out else stack).wait(0 if on_miss and not row.out else 1)
                out, up = p1.settled(0.05), stack.settled(0.05)
                if row.out and (out, up) != ([forwarded(frame, s.near["p1"].mac)], []):
                    wrong[row.description] = out, up
                # Only what comes from XDP is as it came: the stack may send it on by itself.
                if not row.out and up != ([] if on_miss else [frame]):
                    wrong[row.description] = out, up
        assert not wrong
        counters = s.counted("r")
        missed = sum(not row.out for row in ROWS)
        assert counters.packets - counters.misses == len(ROWS) - missed
        assert counters.errors == 0


def is_ours(frame: bytes) -> bool:
    """Frames of the rows, not those with which the stack asks for neighbours or complains."""
    packet = Ether(frame)
    return (IP in packet and packet[IP].src == FROM4) or (
        IPv6 in packet and packet[IPv6].src == FROM6
    )


@both_modes
def test_a_table_of_its_own(lab: Lab, mode: str) -> None:
    with switch(lab, mode, PORTS) as s:
        routed_in = redirect(rule("r", CATCH_ALL, "{type: Route, route: {table: 100}}"))
        routed(s, routed_in)
        frame = ethernet(to4("203.0.113.9"))
        out = s.deliver([frame] * N, p2=N)
        assert out["p2"] == [forwarded(frame, s.near["p2"].mac)] * N


@both_modes
def test_a_host_that_does_not_forward_leaves_it_to_the_stack(lab: Lab, mode: str) -> None:
    with switch(lab, mode, PORTS) as s:
        routed(s, redirect(rule("r", CATCH_ALL, "{type: Route}")))
        s.dut.sysctl("ipv4/ip_forward", "0")
        frame = ethernet(to4("203.0.113.9"))
        assert s.deliver([frame] * N, stack=N)["stack"] == [frame] * N
        assert s.counted("r").misses == N
