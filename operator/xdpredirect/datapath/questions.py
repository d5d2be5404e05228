"""A rule's match as lines of bpf/match.h: one ANY(...) line per question.

The question that turns away most frames comes first, so that a frame that is not meant leaves the
rule after one comparison. Called by `datapath.layout`.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xdpredirect.api.match import Fragments, Match, Prefix, Range
from xdpredirect.datapath.fields import DESTINATION, ICMP, PORTS, PROTOCOL, SOURCE, TRANSPORT, Field

_FRAGMENTS = {
    Fragments.NONE: ("WHOLE",),
    Fragments.FIRST: ("FIRST_FRAGMENT",),
    Fragments.LATER: ("LATER_FRAGMENT",),
    Fragments.ANY: ("FIRST_FRAGMENT", "LATER_FRAGMENT"),
}


@dataclass(frozen=True, slots=True)
class Side:
    """How one direction's networks are asked for: in line, or as bit `list_bit` of the index."""

    inline: tuple[Prefix, ...] = ()
    list_bit: int | None = None


def questions(match: Match, source: Side, destination: Side) -> tuple[tuple[str, ...], Field]:
    """Lines of a rule's match, and the fields they read."""
    asked: list[tuple[Iterable[str], Field]] = [
        (_ranges("DESTINATION_PORT", match.destination_ports), PORTS),
        (_ranges("SOURCE_PORT", match.source_ports), PORTS),
        (_icmp(match), ICMP),
        (_side("SOURCE", source), SOURCE),
        (_side("DESTINATION", destination), DESTINATION),
        (_macs("SOURCE_MAC", match.source_macs), Field.MACS),
        (_macs("DESTINATION_MAC", match.destination_macs), Field.MACS),
        (_ranges("VLAN_ID", match.vlan_ids), Field.VLAN),
        (_ranges("INNER_VLAN_ID", match.inner_vlan_ids), Field.VLAN),
        ((f"PROTOCOL({number})" for number in match.protocols), PROTOCOL),
        (_tcp_flags(match), TRANSPORT | Field.TCP_FLAGS),
        ((f"DSCP({value})" for value in match.dscp), Field.IP | Field.DSCP),
        (_fragments(match), Field.IP | Field.FRAGMENT),
        ((f"ETHER_TYPE({number:#06x})" for number in match.ether_types), Field.ETHER_TYPE),
        (() if match.vlan_tags is None else (f"TAGS({match.vlan_tags})",), Field.VLAN),
        (_ranges("LENGTH", match.lengths), Field.LENGTH),
        (_ranges("RX_QUEUE", match.rx_queues), Field(0)),
    ]
    lines, used = [], Field(0)
    for alternatives, fields in asked:
        words = tuple(alternatives)
        if words:
            lines.append(f"ANY({' '.join(words)})")
            used |= fields
    return tuple(lines), used


def _ranges(word: str, ranges: Sequence[Range]) -> Iterable[str]:
    return (f"{word}({first}, {last})" for first, last in ranges)


def _macs(word: str, macs: Sequence[bytes]) -> Iterable[str]:
    return (f"{word}({int.from_bytes(mac):#014x}ULL)" for mac in macs)


def _icmp(match: Match) -> Iterable[str]:
    return (
        f"ICMP_TYPE({item.type})" if item.code is None else f"ICMP({item.type}, {item.code})"
        for item in match.icmp_types
    )


def _tcp_flags(match: Match) -> Iterable[str]:
    if match.tcp_set or match.tcp_unset:
        yield f"TCP_FLAGS({match.tcp_set:#04x}, {match.tcp_unset:#04x})"


def _fragments(match: Match) -> Iterable[str]:
    if match.fragments is not None:
        yield from (f"FRAGMENT({state})" for state in _FRAGMENTS[match.fragments])


def _side(word: str, side: Side) -> Iterable[str]:
    yield from (f"{word}_{_network(prefix)}" for prefix in side.inline)
    if side.list_bit is not None:
        yield f"{word}_LIST({side.list_bit // 64}, {side.list_bit % 64})"


def _network(prefix: Prefix) -> str:
    octets = len(prefix.address)
    bits = 8 * octets
    mask = ((1 << prefix.length) - 1) << (bits - prefix.length)
    values = struct.unpack(f">{octets // 4}I", prefix.address)
    masks = struct.unpack(f">{octets // 4}I", mask.to_bytes(octets))
    words = ", ".join(f"{value:#x}, {mask:#x}" for value, mask in zip(values, masks, strict=True))
    return f"NET{4 if octets == 4 else 6}({words})"


def local_addresses(addresses: Iterable[bytes]) -> str:
    """LOCAL4 and LOCAL6 words for addresses that are constants in the program."""
    words = []
    for address in sorted(addresses, key=lambda a: (len(a), a)):
        numbers = ", ".join(f"{n:#x}" for n in struct.unpack(f">{len(address) // 4}I", address))
        words.append(f"LOCAL{4 if len(address) == 4 else 6}({numbers})")
    return " ".join(words)
