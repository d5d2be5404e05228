"""Rows about chains of IPv6 extension headers."""

from scapy.layers.inet import UDP

from tests.spec.frames import authentication, ethernet, extension, fragment, ip6, vlan
from tests.spec.packets.row import cidrs, no, only, yes
from xdpredirect.api.match import Fragments, Match

_HOP, _ROUTING, _FRAGMENT, _AH, _OPTIONS, _MOBILITY = 0, 43, 44, 51, 60, 135
_UDP = bytes(UDP(sport=4000, dport=53))
_DNS, _IS_UDP = Match(protocols=(17,), destination_ports=only(53)), Match(protocols=(17,))
_FROM_HOST = Match(source_cidrs=cidrs("2001:db8:1::/48"))
_ANY_OF_CHAIN = Match(protocols=(_HOP, _ROUTING, _FRAGMENT, _AH, _OPTIONS, _MOBILITY))


def _chain(first: int, *parts: bytes) -> bytes:
    return ethernet(ip6(nh=first) / b"".join(parts))


def _options(count: int) -> bytes:
    """`count` destination option headers in front of UDP."""
    return _chain(_OPTIONS, *[extension(_OPTIONS)] * (count - 1), extension(17), _UDP)


_CUT_IN_OPTIONS = _chain(_OPTIONS, extension(17, units=2))[:-1]

WHOLE_CHAINS = (
    yes("hop-by-hop", _DNS, _chain(_HOP, extension(17), _UDP)),
    yes("routing", _DNS, _chain(_ROUTING, extension(17, units=2), _UDP)),
    yes("destination options", _DNS, _chain(_OPTIONS, extension(17), _UDP)),
    yes("mobility", _DNS, _chain(_MOBILITY, extension(17, units=1), _UDP)),
    yes("AH counts in words of 4: 24 octets", _DNS, _chain(_AH, authentication(17, 4), _UDP)),
    yes("AH: 12 octets", _DNS, _chain(_AH, authentication(17, 1), _UDP)),
    no(
        "AH: the length of the others does not hold",
        _DNS,
        _chain(_AH, extension(17, units=4), _UDP),
    ),
    yes("the longest header, 2048 octets", _DNS, _chain(_OPTIONS, extension(17, units=255), _UDP)),
    yes(
        "hop-by-hop, routing, options",
        _DNS,
        _chain(_HOP, extension(_ROUTING), extension(_OPTIONS), extension(17, units=1), _UDP),
    ),
    yes(
        "hop-by-hop behind others is skipped too",
        _DNS,
        _chain(_OPTIONS, extension(_HOP), extension(17), _UDP),
    ),
    yes("behind a VLAN tag", _DNS, ethernet(ip6(nh=_HOP) / extension(17) / _UDP, tags=[vlan(9)])),
    yes("eight headers", _DNS, _options(8)),
    no("nine headers: no ports", _DNS, _options(9)),
    no("nine headers: no protocol", _IS_UDP, _options(9)),
    no("nine headers: nor that of the ninth", _ANY_OF_CHAIN, _options(9)),
    yes("nine headers: addresses", _FROM_HOST, _options(9)),
    yes("nine headers: not a fragment", Match(fragments=Fragments.NONE), _options(9)),
    yes("no next header behind options", Match(protocols=(59,)), _chain(_OPTIONS, extension(59))),
    no(
        "a skipped header is no protocol",
        _ANY_OF_CHAIN,
        _chain(_HOP, extension(_OPTIONS), extension(17), _UDP),
    ),
    yes("ESP ends the chain", Match(protocols=(50,)), _chain(_OPTIONS, extension(50), bytes(16))),
    no("what follows ESP is not read", _IS_UDP, _chain(50, extension(17), _UDP)),
    yes(
        "an unknown header is a protocol", Match(protocols=(140,)), _chain(140, extension(17), _UDP)
    ),
    yes(
        "ICMPv6 type behind hop-by-hop",
        Match(protocols=(58,)),
        _chain(_HOP, extension(58), b"\x82\x00\x00\x00"),
    ),
)

CUT_CHAINS = (
    no("options cut by one octet: no protocol", Match(protocols=(17, _OPTIONS)), _CUT_IN_OPTIONS),
    yes("options cut by one octet: addresses", _FROM_HOST, _CUT_IN_OPTIONS),
    yes("options cut by one octet: DSCP", Match(dscp=(0,)), _CUT_IN_OPTIONS),
    yes(
        "options cut by one octet: not a fragment", Match(fragments=Fragments.NONE), _CUT_IN_OPTIONS
    ),
    yes("options that end the frame: protocol", _IS_UDP, _chain(_OPTIONS, extension(17))),
    no(
        "options that end the frame: no ports",
        Match(protocols=(17,), source_ports=only(0)),
        _chain(_OPTIONS, extension(17)),
    ),
    no("nothing behind the IPv6 header", Match(protocols=(_OPTIONS, _HOP)), _chain(_OPTIONS)),
    no("one octet of options", Match(protocols=(17, _OPTIONS)), _chain(_OPTIONS, b"\x11")),
    no("the second header is cut", _IS_UDP, _chain(_HOP, extension(_OPTIONS), extension(17)[:7])),
    no("the fragment header is cut", _IS_UDP, _chain(_FRAGMENT, fragment(17, 1)[:7])),
    yes(
        "the fragment header is cut: no fragment so far",
        Match(fragments=Fragments.NONE),
        _chain(_FRAGMENT, fragment(17, 1)[:7]),
    ),
    no("AH is cut", _IS_UDP, _chain(_AH, authentication(17, 4)[:23])),
    no(
        "the first buffer ends in the chain",
        _IS_UDP,
        _chain(_OPTIONS, extension(17), _UDP),
        linear=61,
    ),
    yes(
        "the first buffer ends with the chain",
        _IS_UDP,
        _chain(_OPTIONS, extension(17), _UDP),
        linear=62,
    ),
    no("the first buffer ends in UDP", _DNS, _chain(_OPTIONS, extension(17), _UDP), linear=69),
    yes("the first buffer ends with UDP", _DNS, _chain(_OPTIONS, extension(17), _UDP), linear=70),
)

_FIRST_BEFORE_CUT = _chain(_FRAGMENT, fragment(_OPTIONS, more=True), extension(17)[:4])

FRAGMENT_CHAINS = (
    yes(
        "hop-by-hop, then a first fragment",
        _DNS,
        _chain(_HOP, extension(_FRAGMENT), fragment(17, more=True), _UDP),
    ),
    yes(
        "a first fragment, then options",
        _DNS,
        _chain(_FRAGMENT, fragment(_OPTIONS, more=True), extension(17), _UDP),
    ),
    yes(
        "a later fragment's header names the protocol",
        Match(protocols=(_OPTIONS,)),
        _chain(_FRAGMENT, fragment(_OPTIONS, 5), extension(17), _UDP),
    ),
    no(
        "what follows a later fragment's header is not read",
        _IS_UDP,
        _chain(_FRAGMENT, fragment(_OPTIONS, 5), extension(17), _UDP),
    ),
    yes(
        "options, then a later fragment",
        Match(fragments=Fragments.LATER),
        _chain(_OPTIONS, extension(_FRAGMENT), fragment(17, 5), bytes(32)),
    ),
    yes("first, then cut: it is still first", Match(fragments=Fragments.FIRST), _FIRST_BEFORE_CUT),
    no("first, then cut: no protocol", _IS_UDP, _FIRST_BEFORE_CUT),
    yes(
        "an atomic fragment, then options",
        _DNS,
        _chain(_FRAGMENT, fragment(_OPTIONS), extension(17), _UDP),
    ),
    yes(
        "reserved bits beside the offset do not count",
        Match(fragments=Fragments.NONE),
        _chain(_FRAGMENT, b"\x11\xff\x00\x06" + bytes(4), _UDP),
    ),
)

ROWS = WHOLE_CHAINS + CUT_CHAINS + FRAGMENT_CHAINS
