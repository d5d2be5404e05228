"""The packet inside a tunnel, for the InnerFlow spread: at most one tunnel is opened.

Called by `flowhash`. VXLAN, Geneve, GRE, PPPoE and MPLS lead to a packet, GTP-U to a number.
"""

from tests.spec.packet import (
    GRE,
    IPV4,
    IPV6,
    UDP,
    Fragment,
    Packet,
    number,
    parse_inner,
)

VXLAN_PORT, GENEVE_PORT, GTP_PORT = 4789, 6081, 2152
PPPOE_SESSION, MPLS = 0x8864, (0x8847, 0x8848)
TRANSPARENT_ETHERNET = 0x6558
MAX_LABELS = 4

_PPP_TYPES = {0x0021: IPV4, 0x0057: IPV6}
_GRE_CHECKSUM, _GRE_KEY, _GRE_SEQUENCE = 0x8000, 0x2000, 0x1000
_VNI_VALID, _GTP_VERSION = 0x08, 1
_GRE_UNREADABLE = 0x4007  # source routing, and versions other than 0

# Where the inner packet starts, and its EtherType (None: it begins with an Ethernet header).
Inner = tuple[int, int | None]


def tunnel_endpoint_id(packet: Packet) -> int | None:
    """TEID of a GTP-U message of any type, or None for every other packet."""
    start = _udp_payload(packet, GTP_PORT)
    if start is None or len(packet.data) < start + 8 or packet.data[start] >> 5 != _GTP_VERSION:
        return None
    return number(packet.data, start + 4, 4)


def inner_packet(packet: Packet) -> Packet:
    """The packet inside, or `packet` itself where neither Ethernet nor IP can be read inside."""
    where = _below_ip(packet) if packet.network is None else _above_ip(packet)
    if where is None:
        return packet
    inner = parse_inner(packet.data, *where)
    return packet if inner.ethernet is None and inner.network is None else inner


def _below_ip(packet: Packet) -> Inner | None:
    """PPPoE and MPLS."""
    if packet.ethernet is None:
        return None
    start, data = packet.ethernet.payload, packet.data
    if packet.ethernet.ether_type == PPPOE_SESSION and len(data) >= start + 8:
        inner_type = _PPP_TYPES.get(number(data, start + 6, 2))
        return None if inner_type is None else (start + 8, inner_type)
    if packet.ethernet.ether_type in MPLS:
        return _below_labels(data, start)
    return None


def _below_labels(data: bytes, start: int) -> Inner | None:
    for _ in range(MAX_LABELS):
        if len(data) < start + 4:
            return None
        bottom = data[start + 2] & 1
        start += 4
        if bottom:
            return _by_version(data, start)
    return None


def _by_version(data: bytes, start: int) -> Inner | None:
    if len(data) <= start:
        return None
    inner_type = {4: IPV4, 6: IPV6}.get(data[start] >> 4)
    return None if inner_type is None else (start, inner_type)


def _above_ip(packet: Packet) -> Inner | None:
    """VXLAN, Geneve and GRE."""
    vxlan, geneve = _udp_payload(packet, VXLAN_PORT), _udp_payload(packet, GENEVE_PORT)
    if vxlan is not None:
        return _below_vxlan(packet.data, vxlan)
    if geneve is not None:
        return _below_geneve(packet.data, geneve)
    network = packet.network
    if network and network.protocol == GRE and network.fragment is Fragment.WHOLE:
        return _below_gre(packet.data, network.payload)
    return None


def _udp_payload(packet: Packet, port: int) -> int | None:
    """Offset behind the UDP header of a whole packet to `port`."""
    network, transport = packet.network, packet.transport
    if network is None or transport is None or transport.ports is None:
        return None
    whole_udp = network.protocol == UDP and network.fragment is Fragment.WHOLE
    return network.payload + 8 if whole_udp and transport.ports[1] == port else None


def _below_vxlan(data: bytes, start: int) -> Inner | None:
    """Behind a header whose VNI is valid."""
    if len(data) < start + 8 or not data[start] & _VNI_VALID:
        return None
    return start + 8, None


def _below_geneve(data: bytes, start: int) -> Inner | None:
    """Behind a header of version 0 and its options."""
    if len(data) < start + 8 or data[start] >> 6:
        return None
    options = (data[start] & 0x3F) * 4
    return _typed(start + 8 + options, number(data, start + 2, 2))


def _below_gre(data: bytes, start: int) -> Inner | None:
    if len(data) < start + 4:
        return None
    flags = number(data, start, 2)
    if flags & _GRE_UNREADABLE:
        return None
    optional = (_GRE_CHECKSUM, _GRE_KEY, _GRE_SEQUENCE)
    size = 4 + sum(4 for flag in optional if flags & flag)
    return _typed(start + size, number(data, start + 2, 2))


def _typed(start: int, ether_type: int) -> Inner | None:
    if ether_type == TRANSPARENT_ETHERNET:
        return start, None
    return (start, ether_type) if ether_type in (IPV4, IPV6) else None
