"""Which frames a rule takes: the reference that the compiled program is held against.

Called by the unit, kernel and fuzz tests. Reads frames through `packet`, never through the C code
or the agent.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tests.spec.packet import (
    ICMPV6,
    IPV4,
    IPV6,
    UDP,
    Ethernet,
    Fragment,
    Network,
    Packet,
    Transport,
    parse,
)
from xdpredirect.api.action import OnMiss
from xdpredirect.api.match import Fragments, IcmpType, Match, Prefix, Range
from xdpredirect.api.redirect import Protect, XdpAddressSet, XdpRedirect

__all__ = ["Context", "Node", "Packet", "first_rule", "matches", "parse", "protected"]

_ARP, _SLOW_PROTOCOLS, _LLDP = 0x0806, 0x8809, 0x88CC
_NEIGHBOUR_DISCOVERY = range(133, 138)
_DHCP_PORTS = {IPV4: (67, 68), IPV6: (546, 547)}
_FRAGMENT_STATES = {
    Fragments.NONE: (Fragment.WHOLE,),
    Fragments.FIRST: (Fragment.FIRST,),
    Fragments.LATER: (Fragment.LATER,),
    Fragments.ANY: (Fragment.FIRST, Fragment.LATER),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a frame arrived."""

    rx_queue: int = 0
    interface: str = "eth0"
    alt_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What the verdict depends on besides frame and rules.

    `misses` names the (object, rule) pairs whose map holds no entry for the frame in question.
    """

    sets: Mapping[str, XdpAddressSet] = field(default_factory=dict)
    local_addresses: frozenset[bytes] = frozenset()
    misses: frozenset[tuple[str, str]] = frozenset()


def matches(match: Match, packet: Packet, ctx: Context, sets: Mapping[str, XdpAddressSet]) -> bool:
    """Whether a rule takes the frame. An address set that is not in `sets` holds no address."""
    if match.all:
        return True
    return (
        _arrival(match, packet.length, ctx)
        and _ethernet(match, packet.ethernet)
        and _network(match, packet.network)
        and _addresses(match, packet.network, sets)
        and _transport(match, packet.transport)
    )


def first_rule(
    objects: Iterable[XdpRedirect], packet: Packet, ctx: Context, node: Node
) -> tuple[str, str] | None:
    """Names of the object and the rule that decide about a frame, or None for the network stack.

    `objects` are those whose program runs on the interface, in any order.
    """
    for each in sorted(objects, key=lambda o: (o.spec.priority, o.name)):
        if protected(each.spec.protect, packet, node.local_addresses):
            continue
        for rule in each.spec.rules:
            missed = rule.on_miss is OnMiss.CONTINUE and (each.name, rule.name) in node.misses
            if not missed and matches(rule.match, packet, ctx, node.sets):
                return each.name, rule.name
    return None


def protected(protect: Protect, packet: Packet, local_addresses: frozenset[bytes]) -> bool:
    """Whether an object with that `protect` leaves the frame alone, judged by the sound layers.

    `local_addresses` are the node's own, 4 or 16 octets each.
    """
    if protect is Protect.NONE or packet.ethernet is None:
        return False
    if packet.ethernet.ether_type in (_SLOW_PROTOCOLS, _LLDP):
        return True
    if protect is Protect.LINK:
        return False
    return (
        packet.ethernet.ether_type == _ARP
        or packet.network is not None
        and packet.network.destination in local_addresses
        or _configures(packet.ethernet.ether_type, packet.network, packet.transport)
    )


def _configures(family: int, network: Network | None, transport: Transport | None) -> bool:
    """Neighbour discovery or DHCP, each only in its own family."""
    if network is None or transport is None:
        return False
    if network.protocol == UDP and transport.ports is not None:
        return transport.ports[1] in _DHCP_PORTS[family]
    return (
        family == IPV6
        and network.protocol == ICMPV6
        and transport.icmp is not None
        and transport.icmp[0] in _NEIGHBOUR_DISCOVERY
    )


def _within(value: int, ranges: Iterable[Range]) -> bool:
    return any(first <= value <= last for first, last in ranges)


def _arrival(match: Match, length: int, ctx: Context) -> bool:
    names = (ctx.interface, *ctx.alt_names)
    return (
        (not match.lengths or _within(length, match.lengths))
        and (not match.rx_queues or _within(ctx.rx_queue, match.rx_queues))
        and (
            not match.interfaces
            or any(fnmatchcase(name, glob) for name in names for glob in match.interfaces)
        )
    )


def _ethernet(match: Match, ethernet: Ethernet | None) -> bool:
    asked = (
        match.ether_types
        or match.vlan_tags is not None
        or match.vlan_ids
        or match.inner_vlan_ids
        or match.source_macs
        or match.destination_macs
    )
    if not asked or ethernet is None:
        return not asked
    tags = ethernet.vlan_ids
    return (
        (not match.ether_types or ethernet.ether_type in match.ether_types)
        and match.vlan_tags in (None, len(tags))
        and (not match.vlan_ids or any(_within(vid, match.vlan_ids) for vid in tags[:1]))
        and (
            not match.inner_vlan_ids or any(_within(vid, match.inner_vlan_ids) for vid in tags[1:])
        )
        and (not match.source_macs or ethernet.source in match.source_macs)
        and (not match.destination_macs or ethernet.destination in match.destination_macs)
    )


def _network(match: Match, network: Network | None) -> bool:
    asked = match.protocols or match.dscp or match.fragments is not None
    if not asked or network is None:
        return not asked
    return (
        (not match.protocols or network.protocol in match.protocols)
        and (not match.dscp or network.dscp in match.dscp)
        and (match.fragments is None or network.fragment in _FRAGMENT_STATES[match.fragments])
    )


def _addresses(match: Match, network: Network | None, sets: Mapping[str, XdpAddressSet]) -> bool:
    directions: tuple[tuple[tuple[Prefix, ...], tuple[str, ...], Callable[[Network], bytes]], ...]
    directions = (
        (match.source_cidrs, match.source_address_sets, lambda n: n.source),
        (match.destination_cidrs, match.destination_address_sets, lambda n: n.destination),
    )
    for cidrs, names, address_of in directions:
        if not cidrs and not names:
            continue
        prefixes = [*cidrs, *(p for name in names if name in sets for p in sets[name].prefixes)]
        if network is None or not any(_contains(p, address_of(network)) for p in prefixes):
            return False
    return True


def _contains(prefix: Prefix, address: bytes) -> bool:
    """Whether `address` lies in `prefix`; networks of the other family hold no address of ours."""
    if len(prefix.address) != len(address):
        return False
    host_bits = len(address) * 8 - prefix.length
    return int.from_bytes(address, "big") >> host_bits == (
        int.from_bytes(prefix.address, "big") >> host_bits
    )


def _transport(match: Match, transport: Transport | None) -> bool:
    flags = match.tcp_set | match.tcp_unset
    asked = match.source_ports or match.destination_ports or flags or match.icmp_types
    if not asked or transport is None:
        return not asked
    ports, tcp_flags = transport.ports, transport.tcp_flags
    return (
        (not match.source_ports or ports is not None and _within(ports[0], match.source_ports))
        and (
            not match.destination_ports
            or ports is not None
            and _within(ports[1], match.destination_ports)
        )
        and (not flags or tcp_flags is not None and _flags(match, tcp_flags))
        and (not match.icmp_types or _icmp(match.icmp_types, transport.icmp))
    )


def _flags(match: Match, flags: int) -> bool:
    return flags & match.tcp_set == match.tcp_set and not flags & match.tcp_unset


def _icmp(wanted: Iterable[IcmpType], icmp: tuple[int, int] | None) -> bool:
    return icmp is not None and any(
        icmp[0] == item.type and item.code in (None, icmp[1]) for item in wanted
    )
