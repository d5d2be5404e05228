"""Random IP packets that fit a match, or just miss it.

Called by `generate_frame`.
"""

from collections.abc import Mapping, Sequence
from random import Random
from struct import pack

from xdpredirect.api.match import Fragments, Match, Prefix, Range
from xdpredirect.api.redirect import XdpAddressSet

_TCP, _UDP, _SCTP, _ICMP, _ICMPV6 = 6, 17, 132, 1, 58
_IPV4, _IPV6 = 0x0800, 0x86DD
_EXTENSIONS = (0, 43, 60, 135, 51)
_TYPES = (_IPV4, _IPV6, 0x0806, 0x8809, 0x88CC, 0x1234)


def random_network(rng: Random, match: Match, sets: Mapping[str, XdpAddressSet]) -> bytes:
    """An IPv4 or IPv6 packet; where the match is not about IP, sometimes other octets."""
    other_type = match.ether_types and not {_IPV4, _IPV6} & set(match.ether_types)
    if other_type and rng.random() < 0.9 or rng.random() < 0.05:
        return rng.randbytes(rng.choice((0, 1, 28, 46)))
    source = _prefixes(match.source_cidrs, match.source_address_sets, sets)
    destination = _prefixes(match.destination_cidrs, match.destination_address_sets, sets)
    size = _family(rng, match, source + destination)
    addresses = _address(rng, source, size) + _address(rng, destination, size)
    protocol = _protocol(rng, match)
    dscp = rng.choice(match.dscp) if match.dscp and rng.random() < 0.8 else rng.randrange(64)
    build = _ipv4 if size == 4 else _ipv6
    payload = _transport(rng, match, protocol)
    return build(rng, match, (protocol, dscp << 2 | rng.randrange(4)), addresses, payload)


def ether_type_of(rng: Random, match: Match, network: bytes) -> int:
    """The type that fits the packet, one that the match asks for, or any."""
    if rng.random() < 0.03:
        return rng.choice(_TYPES)
    version = network[0] >> 4 if len(network) >= 20 else 0
    asked = {_IPV4, _IPV6} & set(match.ether_types) or not match.ether_types
    if asked and version in (4, 6):
        return _IPV4 if version == 4 else _IPV6
    return rng.choice(match.ether_types or _TYPES)


def _prefixes(
    cidrs: tuple[Prefix, ...], names: Sequence[str], sets: Mapping[str, XdpAddressSet]
) -> tuple[Prefix, ...]:
    return cidrs + tuple(p for name in names if name in sets for p in sets[name].prefixes)


def _family(rng: Random, match: Match, prefixes: tuple[Prefix, ...]) -> int:
    """Octets of an address."""
    if prefixes:
        return len(rng.choice(prefixes).address)
    if (_IPV4 in match.ether_types) != (_IPV6 in match.ether_types):
        return 4 if _IPV4 in match.ether_types else 16
    return rng.choice((4, 16))


def _address(rng: Random, prefixes: tuple[Prefix, ...], size: int) -> bytes:
    """First, last or any address of a prefix, a neighbour of it, or any at all."""
    fitting = [prefix for prefix in prefixes if len(prefix.address) == size]
    if not fitting or rng.random() < 0.08:
        return rng.randbytes(size)
    address, length = rng.choice(fitting)
    first, hosts = int.from_bytes(address, "big"), 1 << (size * 8 - length)
    offset = rng.choice((0, hosts - 1, rng.randrange(hosts)))
    if rng.random() < 0.15:
        offset = rng.choice((-1, hosts))
    return ((first + offset) % (1 << size * 8)).to_bytes(size, "big")


def _protocol(rng: Random, match: Match) -> int:
    if match.protocols and rng.random() < 0.9:
        return rng.choice(match.protocols)
    return rng.choice((_TCP, _UDP, _SCTP, _ICMP, _ICMPV6, 47, 50, 59, rng.randrange(256)))


def _near(rng: Random, ranges: tuple[Range, ...]) -> int:
    if not ranges or rng.random() < 0.1:
        return rng.choice((53, 67, 546, 4789, rng.randrange(65536)))
    first, last = rng.choice(ranges)
    outside = rng.random() < 0.15
    found = rng.choice((first - 1, last + 1) if outside else (first, last))
    return min(max(found, 0), 65535)


def _transport(rng: Random, match: Match, protocol: int) -> bytes:
    if protocol in (_ICMP, _ICMPV6):
        kind, code = rng.choice((8, 128, 135, rng.randrange(256))), rng.randrange(4)
        if match.icmp_types and rng.random() < 0.9:
            wanted = rng.choice(match.icmp_types)
            kind = wanted.type
            code = wanted.code if wanted.code is not None and rng.random() < 0.8 else code
        return pack("!BBHI", kind, code, 0, 0)
    ports = pack("!HH", _near(rng, match.source_ports), _near(rng, match.destination_ports))
    if protocol == _TCP:
        flags = rng.getrandbits(8)
        if rng.random() < 0.8:
            flags = (flags | match.tcp_set) & ~match.tcp_unset
        return ports + bytes(8) + pack("!BBHHH", 0x50, flags, 1024, 0, 0)
    return ports + (pack("!HH", 8, 0) if protocol == _UDP else bytes(12))


def _position(rng: Random, match: Match) -> tuple[int, bool]:
    """Offset in units of 8 octets, and whether more fragments follow."""
    kind = match.fragments if match.fragments and rng.random() < 0.85 else None
    if kind is None:
        kind = rng.choices((Fragments.NONE, Fragments.FIRST, Fragments.LATER), (90, 5, 5))[0]
    if kind is Fragments.ANY:
        kind = rng.choice((Fragments.FIRST, Fragments.LATER))
    if kind is Fragments.LATER:
        return rng.choice((1, 185, 0x1FFF)), rng.random() < 0.5
    return 0, kind is Fragments.FIRST


def _ipv4(
    rng: Random, match: Match, header: tuple[int, int], addresses: bytes, payload: bytes
) -> bytes:
    protocol, tos = header
    position, more = _position(rng, match)
    words = 5 if rng.random() < 0.9 else rng.randint(6, 15)
    size = words * 4 + len(payload)
    start = pack("!BBHHH", 0x40 | words, tos, size, 1, more << 13 | position)
    return start + pack("!BBH", 64, protocol, 0) + addresses + bytes(words * 4 - 20) + payload


def _ipv6(
    rng: Random, match: Match, header: tuple[int, int], addresses: bytes, payload: bytes
) -> bytes:
    protocol, traffic_class = header
    chain = _chain(rng, match)
    kinds = [kind for kind, _ in chain] + [protocol]
    headers = b"".join(
        bytes([after]) + octets for after, (_, octets) in zip(kinds[1:], chain, strict=True)
    )
    label = rng.getrandbits(20)
    start = pack(
        "!IHBB", 6 << 28 | traffic_class << 20 | label, len(headers + payload), kinds[0], 64
    )
    return start + addresses + headers + payload


def _chain(rng: Random, match: Match) -> list[tuple[int, bytes]]:
    """Extension headers: their number, and their octets but for the first."""
    count = rng.choice((1, 2, 3, 8, 9)) if rng.random() < 0.15 else 0
    chain = []
    for _ in range(count):
        kind, units = rng.choice(_EXTENSIONS), rng.choice((0, 0, 1, 4))
        size = (units + 2) * 4 if kind == 51 else (units + 1) * 8
        chain.append((kind, bytes([units]) + bytes(size - 2)))
    position, more = _position(rng, match)
    if position or more or rng.random() < 0.03:
        at = rng.randint(0, len(chain))
        chain.insert(at, (44, pack("!BHI", 0, position << 3 | more, 7)))
    return chain
