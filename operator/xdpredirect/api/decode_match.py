"""Reads `spec.rules[].match` and the address forms that other parts of an object share.

Called by decode and decode_action; never looks at the machine.
"""

from collections.abc import Callable

from xdpredirect.api import numbers
from xdpredirect.api.addresses import parse_mac, parse_network, parse_ranges
from xdpredirect.api.fields import Fields, Parse, integer, problem, text
from xdpredirect.api.match import Fragments, IcmpType, Match, Prefix, Range
from xdpredirect.api.wording import listed, shown

MATCH_FIELDS = (
    "all",
    "etherTypes",
    "vlanTags",
    "vlanIDs",
    "innerVLANIDs",
    "sourceMACs",
    "destinationMACs",
    "sourceCIDRs",
    "destinationCIDRs",
    "sourceAddressSets",
    "destinationAddressSets",
    "protocols",
    "sourcePorts",
    "destinationPorts",
    "dscp",
    "tcpFlags",
    "fragments",
    "rxQueues",
    "interfaces",
    "icmpTypes",
    "lengths",
)
_VLAN_TAGS = {"None": 0, "One": 1, "Two": 2}
# Ends of an open range of lengths; the shortest frame is a bare Ethernet header.
_SHORTEST, _LONGEST = 14, 65535


def decode_match(value: object, path: str) -> Match:
    """A parsed match, never an empty one. Raises InvalidInput."""
    f = Fields(value, path, MATCH_FIELDS)
    named = [name for name in MATCH_FIELDS if f.has(name)]
    if not named:
        raise problem(path, "must not be empty; write {all: true} for every frame")
    if "all" in named and len(named) > 1:
        raise problem(path, "all stands alone; remove it, or remove the other fields")
    tcp_set, tcp_unset = f.child("tcpFlags", _tcp_flags) or (0, 0)
    return Match(
        all=f.flag("all"),
        ether_types=f.items("etherTypes", _ether_type),
        vlan_tags=f.child("vlanTags", _vlan_tags),
        vlan_ids=f.items("vlanIDs", _vlan_range),
        inner_vlan_ids=f.items("innerVLANIDs", _vlan_range),
        source_macs=f.items("sourceMACs", mac),
        destination_macs=f.items("destinationMACs", mac),
        source_cidrs=f.items("sourceCIDRs", _cidr),
        destination_cidrs=f.items("destinationCIDRs", _cidr),
        source_address_sets=f.items("sourceAddressSets", name_of),
        destination_address_sets=f.items("destinationAddressSets", name_of),
        protocols=f.items("protocols", _protocol),
        source_ports=f.items("sourcePorts", _port_range),
        destination_ports=f.items("destinationPorts", _port_range),
        dscp=f.items("dscp", integer),
        tcp_set=tcp_set,
        tcp_unset=tcp_unset,
        fragments=f.child("fragments", _fragments),
        rx_queues=f.child("rxQueues", ranges) or (),
        interfaces=f.items("interfaces", text),
        icmp_types=f.items("icmpTypes", _icmp_type),
        lengths=f.items("lengths", _length_range),
    )


def mac(value: object, path: str) -> bytes:
    """6 octets."""
    octets = parse_mac(text(value, path))
    if octets is None:
        raise problem(path, f"must be a MAC address such as 02:00:00:00:00:01, not {shown(value)}")
    return octets


def ranges(value: object, path: str) -> tuple[Range, ...]:
    """Numbers and ranges such as `0-3,8`; a range from high to low is an error."""
    found = parse_ranges(text(value, path))
    if found is None:
        raise problem(path, f"must be numbers and ranges such as 0-3,8, not {shown(value)}")
    for first, last in found:
        if last < first:
            raise problem(path, f"the range {first}-{last} runs downwards; write {last}-{first}")
    return found


def name_of(value: object, path: str) -> str:
    """The name in `{name: ...}`."""
    return Fields(value, path, ("name",)).required("name", text)


def network(value: object, path: str) -> Prefix:
    """A network without host bits, or an address."""
    # The fast way first: an address set holds up to 50,000 of these.
    found = parse_network(value, bare=True) if isinstance(value, str) else None
    if found is None:
        raise problem(
            path,
            "must be an address or a network without host bits such as 10.0.0.0/8, 192.0.2.1 or "
            f"2001:db8::/32, not {shown(value)}",
        )
    return found


def _cidr(value: object, path: str) -> Prefix:
    found = parse_network(text(value, path), bare=False)
    if found is None:
        raise problem(
            path,
            "must be a network without host bits such as 10.0.0.0/8, 192.0.2.1/32 or "
            f"2001:db8::/32, not {shown(value)}",
        )
    return found


def _number(value: object, path: str, parse: Callable[[str], int | None], such_as: str) -> int:
    found = parse(text(value, path))
    if found is None:
        raise problem(path, f"must be {such_as}, not {shown(value)}")
    return found


def _ether_type(value: object, path: str) -> int:
    such_as = f"{listed(tuple(numbers.ETHER_TYPES))}, or four hexadecimal digits such as 0x88f7"
    return _number(value, path, numbers.ether_type, such_as)


def _protocol(value: object, path: str) -> int:
    such_as = f"{listed(tuple(numbers.PROTOCOLS))}, or a number up to 255 in quotes"
    return _number(value, path, numbers.protocol, such_as)


def _flag_bit(value: object, path: str) -> int:
    return _number(value, path, numbers.TCP_FLAGS.get, listed(tuple(numbers.TCP_FLAGS)))


def _vlan_tags(value: object, path: str) -> int:
    return _number(value, path, _VLAN_TAGS.get, listed(tuple(_VLAN_TAGS)))


def _fragments(value: object, path: str) -> Fragments:
    try:
        return Fragments(text(value, path))
    except ValueError:
        words = listed([word.value for word in Fragments])
        raise problem(path, f"must be {words}, not {shown(value)}") from None


def _tcp_flags(value: object, path: str) -> tuple[int, int]:
    f = Fields(value, path, ("set", "unset"))
    wanted, unwanted = sum(set(f.items("set", _flag_bit))), sum(set(f.items("unset", _flag_bit)))
    if not wanted | unwanted:
        raise problem(path, "must not be empty; write such as {set: [SYN]}")
    if wanted & unwanted:
        both = [name for name, bit in numbers.TCP_FLAGS.items() if bit & wanted & unwanted]
        raise problem(path, f"{listed(both, 'and')} cannot be set and unset; remove one of the two")
    return wanted, unwanted


def _icmp_type(value: object, path: str) -> IcmpType:
    f = Fields(value, path, ("type", "code"))
    return IcmpType(f.required("type", integer), f.child("code", integer))


def _range(first: str, last: str) -> Parse[Range]:
    """A parser for `{first: 1, last: 9}`, where `last` may be absent."""

    def parse(value: object, path: str) -> Range:
        f = Fields(value, path, (first, last))
        low = f.required(first, integer)
        high = f.child(last, integer)
        if high is not None and high < low:
            raise problem(path, f"{last} must not be lower than {first}; exchange the two")
        return Range(low, low if high is None else high)

    return parse


_vlan_range = _range("id", "endID")
_port_range = _range("port", "endPort")


def _length_range(value: object, path: str) -> Range:
    f = Fields(value, path, ("min", "max"))
    low, high = f.child("min", integer), f.child("max", integer)
    found = Range(_SHORTEST if low is None else low, _LONGEST if high is None else high)
    if found.last < found.first:
        raise problem(path, "max must not be lower than min; exchange the two")
    return found
