"""Rows about addresses: CIDRs and address sets, both families, both directions."""

from scapy.layers.inet import UDP

from tests.spec.frames import HOST4, HOST6, SERVER4, SERVER6, ethernet, ip4, ip6, vlan
from tests.spec.packets.row import Row, cidrs, no, yes
from xdpredirect.api.match import Match
from xdpredirect.api.redirect import XdpAddressSet

_UDP = UDP(sport=4000, dport=53)
_V4, _V6 = ethernet(ip4() / _UDP), ethernet(ip6() / _UDP)  # HOST -> SERVER
_LATER = ethernet(ip4(frag=100) / bytes(64))
_OPTIONS_LATER_V6 = ethernet(ip6(nh=44) / bytes([17, 0, 0x03, 0x20, 0, 0, 0, 1]) / bytes(64))
_ARP = ethernet(bytes(28), 0x0806)


def _from4(address: str) -> bytes:
    return ethernet(ip4(source=address) / _UDP)


def _to6(address: str) -> bytes:
    return ethernet(ip6(destination=address) / _UDP)


def _source(*texts: str) -> Match:
    return Match(source_cidrs=cidrs(*texts))


def _destination(*texts: str) -> Match:
    return Match(destination_cidrs=cidrs(*texts))


CIDRS_V4 = (
    yes("sourceCIDRs: a network", _source("192.0.2.0/24"), _V4),
    yes("sourceCIDRs: one address", _source("192.0.2.10/32"), _V4),
    no("sourceCIDRs: the neighbour of the address", _source("192.0.2.11/32"), _V4),
    no("sourceCIDRs: the destination's network", _source("198.51.100.0/24"), _V4),
    yes("sourceCIDRs: first address", _source("10.0.0.0/8"), _from4("10.0.0.0")),
    yes("sourceCIDRs: last address", _source("10.0.0.0/8"), _from4("10.255.255.255")),
    no("sourceCIDRs: one below", _source("10.0.0.0/8"), _from4("9.255.255.255")),
    no("sourceCIDRs: one above", _source("10.0.0.0/8"), _from4("11.0.0.0")),
    yes(
        "sourceCIDRs: a length within an octet, last",
        _source("172.16.0.0/12"),
        _from4("172.31.255.255"),
    ),
    no(
        "sourceCIDRs: a length within an octet, one above",
        _source("172.16.0.0/12"),
        _from4("172.32.0.0"),
    ),
    yes("sourceCIDRs /31: upper", _source("192.0.2.10/31"), _from4("192.0.2.11")),
    no("sourceCIDRs /31: one above", _source("192.0.2.10/31"), _from4("192.0.2.12")),
    yes("sourceCIDRs /0: every IPv4", _source("0.0.0.0/0"), _from4("255.255.255.255")),
    yes("sourceCIDRs /1: upper half", _source("128.0.0.0/1"), _V4),
    no("sourceCIDRs /1: lower half", _source("0.0.0.0/1"), _V4),
    yes(
        "sourceCIDRs: last of a list", _source("10.0.0.0/8", "203.0.113.0/24", "192.0.2.0/24"), _V4
    ),
    no("sourceCIDRs: none of a list", _source("10.0.0.0/8", "203.0.113.0/24"), _V4),
    yes("sourceCIDRs: tagged", _source("192.0.2.0/24"), ethernet(ip4() / _UDP, tags=[vlan(5)])),
    yes("destinationCIDRs: a network", _destination("198.51.100.0/24"), _V4),
    no("destinationCIDRs: the source's network", _destination("192.0.2.0/24"), _V4),
    yes(
        "both directions",
        Match(source_cidrs=cidrs("192.0.2.0/24"), destination_cidrs=cidrs("198.51.100.20/32")),
        _V4,
    ),
    no(
        "both directions, one fails",
        Match(source_cidrs=cidrs("192.0.2.0/24"), destination_cidrs=cidrs("198.51.100.21/32")),
        _V4,
    ),
    yes("sourceCIDRs: a later fragment has addresses", _source("192.0.2.0/24"), _LATER),
    no("sourceCIDRs: ARP has none, /0", _source("0.0.0.0/0", "::/0"), _ARP),
)

CIDRS_V6 = (
    yes("sourceCIDRs: a network, IPv6", _source("2001:db8:1::/48"), _V6),
    yes("sourceCIDRs: one address, IPv6", _source("2001:db8:1::10/128"), _V6),
    no("sourceCIDRs: the neighbour, IPv6", _source("2001:db8:1::11/128"), _V6),
    yes("destinationCIDRs: first address, IPv6", _destination("2001:db8::/32"), _to6("2001:db8::")),
    yes(
        "destinationCIDRs: last address, IPv6",
        _destination("2001:db8::/32"),
        _to6("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ),
    no(
        "destinationCIDRs: one below, IPv6",
        _destination("2001:db8::/32"),
        _to6("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"),
    ),
    no("destinationCIDRs: one above, IPv6", _destination("2001:db8::/32"), _to6("2001:db9::")),
    yes(
        "destinationCIDRs /64: last",
        _destination("2001:db8:2:3::/64"),
        _to6("2001:db8:2:3:ffff::1"),
    ),
    no(
        "destinationCIDRs /64: next network",
        _destination("2001:db8:2:3::/64"),
        _to6("2001:db8:2:4::"),
    ),
    yes(
        "destinationCIDRs /65: upper half",
        _destination("2001:db8:2:3:8000::/65"),
        _to6("2001:db8:2:3:8000::1"),
    ),
    no(
        "destinationCIDRs /65: lower half",
        _destination("2001:db8:2:3:8000::/65"),
        _to6("2001:db8:2:3:7fff::1"),
    ),
    yes("destinationCIDRs /127: upper", _destination("2001:db8::4/127"), _to6("2001:db8::5")),
    no("destinationCIDRs /127: one above", _destination("2001:db8::4/127"), _to6("2001:db8::6")),
    yes("destinationCIDRs /0: every IPv6", _destination("::/0"), _V6),
    yes(
        "destinationCIDRs: a later fragment has addresses, IPv6",
        _destination("2001:db8:2::/48"),
        _OPTIONS_LATER_V6,
    ),
)

FAMILIES = (
    no("families: IPv4 is not in ::/0", _source("::/0"), _V4),
    no("families: IPv6 is not in 0.0.0.0/0", _source("0.0.0.0/0"), _V6),
    yes("families: a mixed list, IPv4", _source("192.0.2.0/24", "2001:db8:1::/48"), _V4),
    yes("families: a mixed list, IPv6", _source("192.0.2.0/24", "2001:db8:1::/48"), _V6),
    no("families: a mixed list, other IPv4", _source("10.0.0.0/8", "2001:db8:1::/48"), _V4),
    no(
        "families: the source asks IPv4, the destination IPv6",
        Match(source_cidrs=cidrs("0.0.0.0/0"), destination_cidrs=cidrs("::/0")),
        _V4,
    ),
    no(
        "families: an IPv4 network written as mapped is an IPv6 network",
        _source("::ffff:192.0.2.0/120"),
        _V4,
    ),
    no("families: 32 leading bits alike are not enough", _source("c000:20a::/32"), _V4),
)

_HOSTS = XdpAddressSet(name="hosts", cidrs=cidrs(f"{HOST4}/32", f"{HOST6}/128", "10.0.0.0/8"))
_SITES = XdpAddressSet(
    name="sites",
    groups=(("a", cidrs("198.51.100.0/24")), ("b", cidrs("2001:db8:2::/48", "10.1.0.0/16"))),
)
_SETS = {"hosts": _HOSTS, "sites": _SITES}
_FROM_HOSTS = Match(source_address_sets=("hosts",))
_TO_SITES = Match(destination_address_sets=("sites",))
_FROM_HOSTS_OR_TEST = Match(source_address_sets=("hosts",), source_cidrs=cidrs("203.0.113.0/24"))


def _set_rows() -> tuple[Row, ...]:
    return (
        yes("sets: an address of the set", _FROM_HOSTS, _V4, sets=_SETS),
        yes("sets: an address of the set, IPv6", _FROM_HOSTS, _V6, sets=_SETS),
        yes("sets: in a network of the set", _FROM_HOSTS, _from4("10.9.8.7"), sets=_SETS),
        no("sets: not in the set", _FROM_HOSTS, _from4("192.0.2.11"), sets=_SETS),
        no(
            "sets: the other direction", Match(destination_address_sets=("hosts",)), _V4, sets=_SETS
        ),
        yes("sets: any group, the first", _TO_SITES, _V4, sets=_SETS),
        yes("sets: any group, the second", _TO_SITES, _V6, sets=_SETS),
        no("sets: in no group", _TO_SITES, _to6("2001:db8:3::1"), sets=_SETS),
        yes(
            "sets: the second of two",
            Match(source_address_sets=("sites", "hosts")),
            _V4,
            sets=_SETS,
        ),
        yes("sets: ORed with CIDRs, by the set", _FROM_HOSTS_OR_TEST, _V4, sets=_SETS),
        yes(
            "sets: ORed with CIDRs, by the CIDR",
            _FROM_HOSTS_OR_TEST,
            _from4("203.0.113.9"),
            sets=_SETS,
        ),
        no(
            "sets: ORed with CIDRs, by neither",
            _FROM_HOSTS_OR_TEST,
            _from4("203.0.114.9"),
            sets=_SETS,
        ),
    )


def _direction_rows() -> tuple[Row, ...]:
    return (
        yes(
            "sets: both directions",
            Match(source_address_sets=("hosts",), destination_address_sets=("sites",)),
            _V4,
            sets=_SETS,
        ),
        no(
            "sets: both directions, one fails",
            Match(source_address_sets=("hosts",), destination_address_sets=("hosts",)),
            _V4,
            sets=_SETS,
        ),
        yes(
            "sets: a set and a CIDR of two directions",
            Match(
                source_address_sets=("hosts",),
                destination_cidrs=cidrs(f"{SERVER6}/128", f"{SERVER4}/32"),
            ),
            _V6,
            sets=_SETS,
        ),
        no(
            "sets: a set of one family, the other's frame",
            Match(source_address_sets=("v4",)),
            _V6,
            sets={"v4": XdpAddressSet(name="v4", cidrs=cidrs("0.0.0.0/0"))},
        ),
        no("sets: ARP has no address", _FROM_HOSTS, _ARP, sets=_SETS),
    )


ROWS = CIDRS_V4 + CIDRS_V6 + FAMILIES + _set_rows() + _direction_rows()
