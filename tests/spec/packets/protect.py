"""Rows about `protect`: which frames an object leaves alone, whatever its rules say."""

from dataclasses import dataclass
from ipaddress import ip_address

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest
from scapy.packet import Packet as Layers

from tests.spec.frames import (
    SERVER4,
    SERVER6,
    ethernet,
    extension,
    fragment,
    ip4,
    ip6,
    service,
    vlan,
)
from xdpredirect.api.redirect import Protect


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectRow:
    """Whether an object with `protect: Node` or `protect: Link` leaves the frame alone.

    `protect: None` never does. The node's addresses are `LOCAL_ADDRESSES`.
    """

    description: str
    frame: bytes
    node: bool
    link: bool
    linear: int | None = None

    def expected(self, protect: Protect) -> bool:
        """The column of that `protect`."""
        return {Protect.NODE: self.node, Protect.LINK: self.link, Protect.NONE: False}[protect]


LOCAL_ADDRESSES = frozenset(
    ip_address(text).packed for text in ("203.0.113.1", "127.0.0.1", "2001:db8:5::1", "fe80::1")
)


def _both(description: str, frame: bytes) -> ProtectRow:
    return ProtectRow(description=description, frame=frame, node=True, link=True)


def _node(description: str, frame: bytes, linear: int | None = None) -> ProtectRow:
    return ProtectRow(description=description, frame=frame, node=True, link=False, linear=linear)


def _free(description: str, frame: bytes, linear: int | None = None) -> ProtectRow:
    return ProtectRow(description=description, frame=frame, node=False, link=False, linear=linear)


def _nd(icmp_type: int) -> bytes:
    return ethernet(ip6(nh=58, destination="ff02::1") / bytes([icmp_type, 0, 0, 0]) / bytes(20))


def _udp4(port: int, header: Layers | None = None) -> Layers:
    return (header or ip4()) / UDP(sport=9, dport=port)


def _udp6(port: int) -> Layers:
    return ip6() / UDP(sport=9, dport=port)


_LOCAL4 = ip4(destination="203.0.113.1") / TCP(dport=22)
_LOCAL6 = ip6(destination="2001:db8:5::1") / TCP(dport=22)
_ND_FRAGMENT = ip6(nh=44) / fragment(58, 1) / b"\x87\0\0\0" / bytes(20)

PROTECT_ROWS = (
    _node("ARP", ethernet(bytes(28), 0x0806)),
    _node("ARP in a VLAN", ethernet(bytes(28), 0x0806, tags=[vlan(100)])),
    _node("ARP in two VLANs", ethernet(bytes(28), 0x0806, tags=[service(1), vlan(100)])),
    _free(
        "ARP in three VLANs is not seen",
        ethernet(bytes(28), 0x0806, tags=[service(1), vlan(2), vlan(3)]),
    ),
    _node("ARP cut after the EtherType", ethernet(b"", 0x0806)),
    _both("LACP", ethernet(bytes(110), 0x8809)),
    _both("LACP in a VLAN", ethernet(bytes(110), 0x8809, tags=[vlan(0)])),
    _both("LLDP", ethernet(bytes(46), 0x88CC)),
    _free("RARP", ethernet(bytes(28), 0x8035)),
    _free("a tag without its type", ethernet(b"", 0x0806, tags=[vlan(100)])[:16]),
    _free("ICMPv6 type 132, below neighbour discovery", _nd(132)),
    _node("ICMPv6 type 133, router solicitation", _nd(133)),
    _node("ICMPv6 type 134, router advertisement", _nd(134)),
    _node("ICMPv6 type 135, neighbour solicitation", _nd(135)),
    _node("ICMPv6 type 136, neighbour advertisement", _nd(136)),
    _node("ICMPv6 type 137, redirect", _nd(137)),
    _free("ICMPv6 type 138, above neighbour discovery", _nd(138)),
    _free("ICMPv6 echo request", ethernet(ip6() / ICMPv6EchoRequest())),
    _node(
        "neighbour solicitation behind hop-by-hop",
        ethernet(ip6(nh=0) / extension(58) / b"\x87\0\0\0" / bytes(20)),
    ),
    _free("neighbour solicitation, ICMPv6 header cut", _nd(135)[:57]),
    _free("what looks like it in a later fragment", ethernet(_ND_FRAGMENT)),
    _free(
        "protocol 58 over IPv4 is no neighbour discovery", ethernet(ip4(proto=58) / b"\x87\0\0\0")
    ),
    _node("DHCP to the server", ethernet(_udp4(67))),
    _node(
        "DHCP to the client, broadcast",
        ethernet(ip4("0.0.0.0", "255.255.255.255") / UDP(sport=67, dport=68)),
    ),
    _node("DHCP in a VLAN", ethernet(_udp4(68), tags=[vlan(100)])),
    _free("UDP port 66", ethernet(_udp4(66))),
    _free("UDP port 69", ethernet(_udp4(69))),
    _free("UDP from port 67", ethernet(ip4() / UDP(sport=67, dport=4000))),
    _free("TCP port 67", ethernet(ip4() / TCP(sport=9, dport=67))),
    _node("DHCP, first fragment", ethernet(_udp4(67, ip4(flags="MF")))),
    _free("DHCP, later fragment", ethernet(_udp4(67, ip4(frag=10)))),
    _free("DHCP, UDP header cut", ethernet(_udp4(67))[:41]),
    _free("DHCP, UDP header beyond the first buffer", ethernet(_udp4(67)), linear=41),
    _node("DHCPv6 to the client", ethernet(_udp6(546))),
    _node("DHCPv6 to the server", ethernet(_udp6(547))),
    _free("UDP port 545, IPv6", ethernet(_udp6(545))),
    _free("UDP port 548, IPv6", ethernet(_udp6(548))),
    _free("UDP port 67, IPv6", ethernet(_udp6(67))),
    _free("UDP port 547, IPv4", ethernet(_udp4(547))),
    _node("to an address of the node", ethernet(_LOCAL4)),
    _node("to an address of the node, IPv6", ethernet(_LOCAL6)),
    _node("to a link-local address of the node", ethernet(ip6(destination="fe80::1") / UDP())),
    _node("to the node in a VLAN", ethernet(_LOCAL4, tags=[vlan(100)])),
    _node("to the node in two VLANs, IPv6", ethernet(_LOCAL6, tags=[service(1), vlan(100)])),
    _node(
        "to the node, a later fragment",
        ethernet(ip4(destination="203.0.113.1", frag=9) / bytes(64)),
    ),
    _node("to the node, TCP header cut", ethernet(_LOCAL4)[:40]),
    _node("to the node, a cut chain", ethernet(ip6(destination="2001:db8:5::1", nh=60) / b"\x06")),
    _free("to the node, IPv4 header cut", ethernet(_LOCAL4)[:33]),
    _free("to the node, a wrong IP version", ethernet(_LOCAL6, 0x0800)),
    _free("to the neighbour of an address", ethernet(ip4(destination="203.0.113.2") / ICMP())),
    _free("from an address of the node", ethernet(ip4(source="203.0.113.1") / ICMP())),
    _free("to another host", ethernet(ip4(destination=SERVER4) / TCP(dport=22))),
    _free("to another host, IPv6", ethernet(ip6(destination=SERVER6) / TCP(dport=22))),
    _free("13 octets", ethernet(b"", 0x0806)[:13]),
)
