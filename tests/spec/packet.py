"""What a frame says: Ethernet, IP and transport facts, read from raw octets.

Called by `matcher` and `flowhash`. A layer that is cut off or malformed is None, and so is every
layer above it; a match on a fact of a missing layer never holds.
"""

from dataclasses import dataclass
from enum import Enum, auto

IPV4, IPV6 = 0x0800, 0x86DD
TCP, UDP, SCTP, ICMP, ICMPV6, ESP, GRE = 6, 17, 132, 1, 58, 50, 47
VLAN_TPIDS = (0x8100, 0x88A8)
MAX_TAGS = 2

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION, _MOBILITY = 0, 43, 44, 51, 60, 135
_EXTENSIONS = (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION, _MOBILITY)
MAX_EXTENSIONS = 8

# Octets that must be there before a transport header is believed.
_TRANSPORT_SIZE = {TCP: 20, UDP: 8, SCTP: 12, ICMP: 4, ICMPV6: 4}


class Fragment(Enum):
    """Part of an IP packet that a frame carries."""

    WHOLE = auto()
    FIRST = auto()
    LATER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ethernet:
    """MACs of 6 octets, IDs of the parsed tags (outer first), and where the payload starts."""

    destination: bytes
    source: bytes
    vlan_ids: tuple[int, ...]
    ether_type: int
    payload: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """IPv4 (addresses of 4 octets) or IPv6 (16). `protocol` is None when the chain of extension
    headers is cut off or too long; `payload` is then meaningless."""

    source: bytes
    destination: bytes
    dscp: int
    fragment: Fragment
    protocol: int | None
    payload: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """Ports of TCP, UDP and SCTP, flags of TCP, type and code of ICMP and ICMPv6."""

    ports: tuple[int, int] | None = None
    tcp_flags: int | None = None
    icmp: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """`data` is the part that can be read, `length` that of the whole frame, both in octets."""

    data: bytes
    length: int
    ethernet: Ethernet | None = None
    network: Network | None = None
    transport: Transport | None = None


def parse(frame: bytes, linear: int | None = None) -> Packet:
    """Read `frame` (from the Ethernet header on), of which only `linear` octets are reachable."""
    data = frame[:linear]
    ethernet = _ethernet(data, 0)
    if ethernet is None:
        return Packet(data=data, length=len(frame))
    network = network_at(data, ethernet.payload, ethernet.ether_type)
    transport = transport_of(data, network)
    return Packet(
        data=data, length=len(frame), ethernet=ethernet, network=network, transport=transport
    )


def parse_inner(data: bytes, offset: int, ether_type: int | None) -> Packet:
    """The packet at `offset`: Ethernet when `ether_type` is None, else of that type.

    `ethernet` stays None in the latter case; `length` counts the octets that can be read.
    """
    ethernet = _ethernet(data, offset) if ether_type is None else None
    if ethernet is not None:
        offset, ether_type = ethernet.payload, ethernet.ether_type
    network = None if ether_type is None else network_at(data, offset, ether_type)
    transport = transport_of(data, network)
    length = max(len(data) - offset, 0)
    return Packet(data=data, length=length, ethernet=ethernet, network=network, transport=transport)


def number(data: bytes, offset: int, size: int) -> int:
    """Big-endian number of `size` octets; the caller has checked that they are there."""
    return int.from_bytes(data[offset : offset + size], "big")


def _ethernet(data: bytes, start: int) -> Ethernet | None:
    """The header with up to two tags, or None when it is cut off."""
    if len(data) < start + 14:
        return None
    offset = start + 12
    vlan_ids: list[int] = []
    while number(data, offset, 2) in VLAN_TPIDS and len(vlan_ids) < MAX_TAGS:
        if len(data) < offset + 6:
            return None
        vlan_ids.append(number(data, offset + 2, 2) & 0x0FFF)
        offset += 4
    return Ethernet(
        destination=data[start : start + 6],
        source=data[start + 6 : start + 12],
        vlan_ids=tuple(vlan_ids),
        ether_type=number(data, offset, 2),
        payload=offset + 2,
    )


def network_at(data: bytes, offset: int, ether_type: int) -> Network | None:
    """The IP header at `offset`, or None when there is no sound one."""
    if ether_type == IPV4:
        return _ipv4(data, offset)
    if ether_type == IPV6:
        return _ipv6(data, offset)
    return None


def _ipv4(data: bytes, offset: int) -> Network | None:
    if len(data) < offset + 20 or data[offset] >> 4 != 4:
        return None
    header = (data[offset] & 0x0F) * 4
    if header < 20 or len(data) < offset + header:
        return None
    flags = number(data, offset + 6, 2)
    return Network(
        source=data[offset + 12 : offset + 16],
        destination=data[offset + 16 : offset + 20],
        dscp=data[offset + 1] >> 2,
        fragment=_fragment(flags & 0x1FFF, bool(flags & 0x2000)),
        protocol=data[offset + 9],
        payload=offset + header,
    )


def _ipv6(data: bytes, offset: int) -> Network | None:
    if len(data) < offset + 40 or data[offset] >> 4 != 6:
        return None
    fragment, protocol, payload = _extensions(data, offset + 40, data[offset + 6])
    return Network(
        source=data[offset + 8 : offset + 24],
        destination=data[offset + 24 : offset + 40],
        dscp=number(data, offset, 2) >> 6 & 0x3F,
        fragment=fragment,
        protocol=protocol,
        payload=payload,
    )


def _extensions(data: bytes, offset: int, header: int) -> tuple[Fragment, int | None, int]:
    """Walk the chain from `header` at `offset`: fragment state, protocol and its offset."""
    fragment = Fragment.WHOLE
    for _ in range(MAX_EXTENSIONS):
        if header not in _EXTENSIONS:
            break
        size = _extension_size(data, offset, header)
        if size is None or len(data) < offset + size:
            return fragment, None, offset
        following = data[offset]
        if header == _FRAGMENT:
            position = number(data, offset + 2, 2)
            part = _fragment(position >> 3, bool(position & 1))
            # A fragment header on a whole packet (an atomic fragment) changes nothing.
            fragment = fragment if part is Fragment.WHOLE else part
            if part is Fragment.LATER:
                return fragment, following, offset + size
        offset, header = offset + size, following
    return fragment, None if header in _EXTENSIONS else header, offset


def _extension_size(data: bytes, offset: int, header: int) -> int | None:
    """Octets of the extension header at `offset`, or None when its length is out of reach."""
    if header == _FRAGMENT:
        return 8
    if len(data) < offset + 2:
        return None
    return (data[offset + 1] + 2) * 4 if header == _AUTHENTICATION else (data[offset + 1] + 1) * 8


def _fragment(position: int, more: bool) -> Fragment:
    if position:
        return Fragment.LATER
    return Fragment.FIRST if more else Fragment.WHOLE


def transport_of(data: bytes, network: Network | None) -> Transport | None:
    """The transport header of a whole packet or a first fragment, if all of it can be read."""
    if network is None or network.protocol is None or network.fragment is Fragment.LATER:
        return None
    size, start = _TRANSPORT_SIZE.get(network.protocol), network.payload
    if size is None or len(data) < start + size:
        return None
    if network.protocol in (ICMP, ICMPV6):
        return Transport(icmp=(data[start], data[start + 1]))
    return Transport(
        ports=(number(data, start, 2), number(data, start + 2, 2)),
        tcp_flags=data[start + 13] if network.protocol == TCP else None,
    )
