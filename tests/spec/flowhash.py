"""The spread hash: which of 256 slots a frame takes. The program in C computes the same number.

Called by the unit and kernel tests. Symmetric: both directions of a flow take one slot. Every
operation is on unsigned 64-bit numbers; addresses and ports are read in network byte order.
"""

from tests.spec.packet import ESP, Ethernet, Fragment, Network, Packet, number, parse
from tests.spec.tunnel import inner_packet, tunnel_endpoint_id
from xdpredirect.api.action import SpreadBy

K1, K2 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
MASK = (1 << 64) - 1
GTP_SALT = 0x677470  # "gtp", so that a TEID and an IPv4 address of the same value part ways
SLOTS = 256


def slot(frame: bytes, spread_by: SpreadBy, linear: int | None = None) -> int:
    """Slot 0-255 of a frame. `spread_by` is one of the kinds that hash: not RxQueue, RoundRobin."""
    return spread_hash(frame, spread_by, linear) >> 56


def spread_hash(frame: bytes, spread_by: SpreadBy, linear: int | None = None) -> int:
    """The 64-bit hash of a frame; 0 where the Ethernet header or a VLAN tag is cut off.

    Raises ValueError for the kinds of spread that read no frame.
    """
    packet = parse(frame, linear)
    if packet.ethernet is None:
        return 0
    match spread_by:
        case SpreadBy.FLOW:
            return flow_hash(packet)
        case SpreadBy.INNER_FLOW:
            teid = tunnel_endpoint_id(packet)
            return flow_hash(inner_packet(packet)) if teid is None else mix(teid ^ mix(GTP_SALT))
        case SpreadBy.SOURCE_IP if packet.network:
            return address_hash(packet.network.source)
        case SpreadBy.DESTINATION_IP if packet.network:
            return address_hash(packet.network.destination)
        case SpreadBy.SOURCE_IP | SpreadBy.DESTINATION_IP:
            return flow_hash(packet)
    raise ValueError(f"{spread_by} hashes no frame")


def mix(value: int) -> int:
    """Bijection of 64-bit numbers in which every input bit moves about half of the output bits."""
    value ^= value >> 32
    value = value * K1 & MASK
    value ^= value >> 29
    value = value * K2 & MASK
    return value ^ value >> 32


def flow_hash(packet: Packet) -> int:
    """Addresses, protocol and what tells flows of two hosts apart; MACs where there is no IP.

    The packet has an Ethernet or an IP layer.
    """
    network = packet.network
    if network is not None:
        selector = _selector(packet, network) << 8 | (network.protocol or 0)
        return mix(_address_key(network.source, network.destination) ^ mix(selector))
    if packet.ethernet is None:
        raise ValueError("a packet with neither IP nor Ethernet has no flow")
    return _mac_hash(packet.ethernet)


def address_hash(address: bytes) -> int:
    """Hash of one address of 4 or 16 octets."""
    if len(address) == 4:
        return mix(number(address, 0, 4))
    return mix(number(address, 0, 8) ^ mix(number(address, 8, 8)))


def _mac_hash(ethernet: Ethernet) -> int:
    a, b = number(ethernet.destination, 0, 6), number(ethernet.source, 0, 6)
    key = (a + b & MASK) ^ ((a ^ b) << 16 & MASK)
    return mix(key ^ mix(ethernet.ether_type))


def _address_key(source: bytes, destination: bytes) -> int:
    if len(source) == 4:
        a, b = number(source, 0, 4), number(destination, 0, 4)
        return (a + b & 0xFFFFFFFF) << 32 | (a ^ b)
    high_a, high_b = number(source, 0, 8), number(destination, 0, 8)
    low_a, low_b = number(source, 8, 8), number(destination, 8, 8)
    high = mix((high_a + high_b & MASK) ^ mix(high_a ^ high_b))
    low = mix((low_a + low_b & MASK) ^ mix((low_a ^ low_b) + 1 & MASK))
    return high ^ low


def _selector(packet: Packet, network: Network) -> int:
    """Ports, or the SPI of ESP, as 32 bits; 0 for fragments, which do not all carry them."""
    if network.fragment is not Fragment.WHOLE:
        return 0
    if network.protocol == ESP and len(packet.data) >= network.payload + 8:
        return number(packet.data, network.payload, 4)
    if packet.transport is None or packet.transport.ports is None:
        return 0
    source, destination = packet.transport.ports
    return (source + destination & 0xFFFF) << 16 | (source ^ destination)
