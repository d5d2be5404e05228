"""What a rule asks of a frame: the parsed form of `spec.rules[].match`.

Values are already numbers and bytes, so the planner and the renderer never parse text again.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Range(NamedTuple):
    """A closed range of integers: ports, VLAN IDs, queues, CPUs or lengths."""

    first: int
    last: int


class Prefix(NamedTuple):
    """A network. `address` is 4 or 16 octets in network order with no host bits set."""

    address: bytes
    length: int


class IcmpType(NamedTuple):
    """An ICMP or ICMPv6 type; `code` None stands for every code."""

    type: int
    code: int | None


class Fragments(StrEnum):
    """Which IP fragments a rule is for. None: whole packets only. Any: every fragment."""

    NONE = "None"
    FIRST = "First"
    LATER = "Later"
    ANY = "Any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Fields are ANDed, items of one field are ORed; an empty field asks nothing.

    `vlan_tags` is 0, 1 or 2 (2 stands for two or more). `tcp_set` and `tcp_unset` are masks of the
    TCP flag octet, FIN lowest. CIDRs and address sets of one direction are ORed together.
    """

    all: bool = False
    ether_types: tuple[int, ...] = ()
    vlan_tags: int | None = None
    vlan_ids: tuple[Range, ...] = ()
    inner_vlan_ids: tuple[Range, ...] = ()
    source_macs: tuple[bytes, ...] = ()
    destination_macs: tuple[bytes, ...] = ()
    source_cidrs: tuple[Prefix, ...] = ()
    destination_cidrs: tuple[Prefix, ...] = ()
    source_address_sets: tuple[str, ...] = ()
    destination_address_sets: tuple[str, ...] = ()
    protocols: tuple[int, ...] = ()
    source_ports: tuple[Range, ...] = ()
    destination_ports: tuple[Range, ...] = ()
    dscp: tuple[int, ...] = ()
    tcp_set: int = 0
    tcp_unset: int = 0
    fragments: Fragments | None = None
    rx_queues: tuple[Range, ...] = ()
    interfaces: tuple[str, ...] = ()
    icmp_types: tuple[IcmpType, ...] = ()
    lengths: tuple[Range, ...] = ()
