"""Frames that carry a packet in each tunnel that the InnerFlow spread opens.

Called by `vectors` and the unit tests. Every wrapper takes IP layers and returns the whole frame,
with addresses and ports of the outer headers that are always the same.
"""

from collections.abc import Callable
from struct import pack

from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet as Layers

from tests.spec.frames import ethernet, ip4, ip6, service, vlan

_INNER_MACS = bytes.fromhex("0a00000000010a0000000002")


def _ether_type(inner: Layers) -> int:
    return 0x86DD if isinstance(inner, IPv6) else 0x0800


def _inner_ethernet(inner: Layers, tags: bytes = b"") -> bytes:
    return _INNER_MACS + tags + pack("!H", _ether_type(inner)) + bytes(inner)


def _udp(port: int, payload: bytes, outer: Layers | None = None) -> bytes:
    return ethernet((outer or ip4()) / UDP(sport=50000, dport=port) / payload)


def _gre(flags: int, optional: bytes, inner: Layers) -> bytes:
    header = pack("!HH", flags, _ether_type(inner)) + optional
    return ethernet(ip4(proto=47) / (header + bytes(inner)))


def _pppoe(inner: Layers) -> bytes:
    protocol = 0x0057 if isinstance(inner, IPv6) else 0x0021
    header = pack("!BBHHH", 0x11, 0, 0x1234, len(inner) + 2, protocol)
    return ethernet(header + bytes(inner), 0x8864, tags=[vlan(7)])


def _mpls(labels: int, inner: Layers) -> bytes:
    stack = b"".join(pack("!I", 16 + i << 12 | (i == labels - 1) << 8 | 64) for i in range(labels))
    return ethernet(stack + bytes(inner), 0x8847)


def _geneve(options: int, inner: bytes, protocol: int) -> bytes:
    return _udp(6081, pack("!BBHI", options, 0, protocol, 0x123400) + bytes(4 * options) + inner)


VXLAN_HEADER = pack("!II", 0x08000000, 0x123400)

TUNNELS: dict[str, Callable[[Layers], bytes]] = {
    "VXLAN": lambda inner: _udp(4789, VXLAN_HEADER + _inner_ethernet(inner)),
    "VXLAN over IPv6": lambda inner: _udp(4789, VXLAN_HEADER + _inner_ethernet(inner), ip6()),
    "VXLAN, inner VLAN": lambda inner: _udp(
        4789, VXLAN_HEADER + _inner_ethernet(inner, pack("!HH", *vlan(5)))
    ),
    "VXLAN, inner QinQ": lambda inner: _udp(
        4789, VXLAN_HEADER + _inner_ethernet(inner, pack("!HHHH", *service(5), *vlan(6)))
    ),
    "Geneve": lambda inner: _geneve(0, _inner_ethernet(inner), 0x6558),
    "Geneve with options": lambda inner: _geneve(3, _inner_ethernet(inner), 0x6558),
    "Geneve of IP": lambda inner: _geneve(0, bytes(inner), _ether_type(inner)),
    "GRE": lambda inner: _gre(0, b"", inner),
    "GRE with key": lambda inner: _gre(0x2000, b"\0\0\0\x05", inner),
    "GRE with checksum, key, sequence": lambda inner: _gre(0xB000, bytes(12), inner),
    "GRE of Ethernet": lambda inner: ethernet(
        ip4(proto=47) / (pack("!HH", 0, 0x6558) + _inner_ethernet(inner))
    ),
    "PPPoE": _pppoe,
    "MPLS": lambda inner: _mpls(1, inner),
    "MPLS, four labels": lambda inner: _mpls(4, inner),
}

# Those whose inner packet has an Ethernet header of its own.
OF_ETHERNET = frozenset(
    (
        "VXLAN",
        "VXLAN over IPv6",
        "VXLAN, inner VLAN",
        "VXLAN, inner QinQ",
        "Geneve",
        "Geneve with options",
        "GRE of Ethernet",
    )
)


def gtp(teid: int, inner: Layers, message: int = 255) -> bytes:
    """GTP-U: the tunnel endpoint ID stands for the flow."""
    return _udp(2152, pack("!BBHI", 0x30, message, len(inner), teid) + bytes(inner))


def mpls(labels: int, inner: Layers) -> bytes:
    """MPLS with a stack of that many labels."""
    return _mpls(labels, inner)


def gre_flagged(flags: int, inner: Layers) -> bytes:
    """GRE whose flag word is `flags`, without any optional field."""
    return _gre(flags, b"", inner)
