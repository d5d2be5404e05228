"""Rows about the IP header: protocols, DSCP, fragments."""

from scapy.layers.inet import ICMP, TCP, UDP, IPOption_NOP
from scapy.layers.sctp import SCTP

from tests.spec.frames import ethernet, fragment, ip4, ip6, padded, patched
from tests.spec.packets.row import no, only, yes
from xdpredirect.api.match import Fragments, Match

_UDP, _TCP = UDP(sport=4000, dport=53), TCP(sport=4000, dport=443)
_V4, _V6 = ethernet(ip4() / _UDP), ethernet(ip6() / _UDP)
_TCP4, _TCP6 = ethernet(ip4() / _TCP), ethernet(ip6() / _TCP)
_DNS = Match(protocols=(17,), destination_ports=only(53))
_IS_UDP, _IS_TCP = Match(protocols=(17,)), Match(protocols=(6,))

PROTOCOLS = (
    yes("protocols UDP: UDP over IPv4", _IS_UDP, _V4),
    yes("protocols UDP: UDP over IPv6", _IS_UDP, _V6),
    no("protocols UDP: TCP", _IS_UDP, _TCP4),
    yes("protocols TCP: TCP over IPv6", _IS_TCP, _TCP6),
    no("protocols TCP: UDP over IPv6", _IS_TCP, _V6),
    yes("protocols: second of a list", Match(protocols=(6, 17)), _V4),
    no("protocols: none of a list", Match(protocols=(6, 132)), _V4),
    yes("protocols SCTP", Match(protocols=(132,)), ethernet(ip4() / SCTP(sport=1, dport=2))),
    yes("protocols ICMP", Match(protocols=(1,)), ethernet(ip4() / ICMP())),
    no("protocols ICMPv6: ICMP", Match(protocols=(58,)), ethernet(ip4() / ICMP())),
    yes("protocols GRE without a payload", Match(protocols=(47,)), ethernet(ip4(proto=47))),
    yes("protocols ESP, IPv6", Match(protocols=(50,)), ethernet(ip6(nh=50) / bytes(16))),
    yes(
        "protocols AH: not skipped in IPv4",
        Match(protocols=(51,)),
        ethernet(ip4(proto=51) / bytes(24)),
    ),
    no(
        "protocols UDP: behind AH in IPv4",
        _IS_UDP,
        ethernet(ip4(proto=51) / b"\x11\x04" / bytes(30)),
    ),
    yes(
        "protocols 0: hop-by-hop is a number in IPv4",
        Match(protocols=(0,)),
        ethernet(ip4(proto=0) / bytes(8)),
    ),
    yes("protocols 255", Match(protocols=(255,)), ethernet(ip4(proto=255) / bytes(8))),
    yes("protocols 59: no next header, IPv6", Match(protocols=(59,)), ethernet(ip6(nh=59))),
    yes(
        "protocols 1 is a number: ICMP in IPv6",
        Match(protocols=(1,)),
        ethernet(ip6(nh=1) / bytes(8)),
    ),
    yes("protocols: behind IPv4 options", _DNS, ethernet(ip4(options=[IPOption_NOP()] * 4) / _UDP)),
    yes(
        "protocols: behind 40 octets of IPv4 options",
        _DNS,
        ethernet(ip4(options=[IPOption_NOP()] * 40) / _UDP),
    ),
    no("protocols: ARP has none", Match(protocols=(0, 6, 17)), ethernet(bytes(28), 0x0806)),
    yes("protocols: the total length is not believed", _DNS, patched(_V4, 16, b"\x00\x00")),
    yes("protocols: a total length beyond the end", _DNS, patched(_V4, 16, b"\xff\xff")),
    yes("protocols: a payload length of 0, IPv6", _DNS, patched(_V6, 18, b"\x00\x00")),
    yes("protocols: a wrong header checksum", _DNS, patched(_V4, 24, b"\xde\xad")),
    yes("protocols: TTL 0", _DNS, patched(_V4, 22, b"\x00")),
    yes("protocols: an empty payload", Match(protocols=(99,)), padded(ethernet(ip4(proto=99)), 60)),
)

_EF4, _EF6 = ethernet(ip4(tos=46 << 2) / _UDP), ethernet(ip6(tc=46 << 2) / _UDP)

DSCP = (
    yes("dscp 46: EF", Match(dscp=(46,)), _EF4),
    yes("dscp 46: EF, IPv6", Match(dscp=(46,)), _EF6),
    no("dscp 46: 0", Match(dscp=(46,)), _V4),
    no("dscp 46: 0, IPv6", Match(dscp=(46,)), _V6),
    yes("dscp 0: 0", Match(dscp=(0,)), _V4),
    yes("dscp 0: 0, IPv6", Match(dscp=(0,)), _V6),
    yes("dscp 63: the highest", Match(dscp=(63,)), ethernet(ip4(tos=0xFC) / _UDP)),
    yes("dscp 63: the highest, IPv6", Match(dscp=(63,)), ethernet(ip6(tc=0xFC) / _UDP)),
    yes("dscp 46: ECN bits do not count", Match(dscp=(46,)), ethernet(ip4(tos=46 << 2 | 3) / _UDP)),
    yes(
        "dscp 46: ECN bits do not count, IPv6",
        Match(dscp=(46,)),
        ethernet(ip6(tc=46 << 2 | 3) / _UDP),
    ),
    no("dscp 0: ECN alone, against 1", Match(dscp=(1,)), ethernet(ip4(tos=3) / _UDP)),
    yes(
        "dscp: the flow label does not count",
        Match(dscp=(46,)),
        ethernet(ip6(tc=46 << 2, fl=0xFFFFF) / _UDP),
    ),
    yes("dscp: last of a list", Match(dscp=(10, 18, 46)), _EF4),
    no("dscp: ARP has none", Match(dscp=(0,)), ethernet(bytes(28), 0x0806)),
)

# IPv4: the first fragment holds the UDP header, the later one starts at octet 800.
_FIRST4, _LATER4 = ethernet(ip4(flags="MF") / _UDP), ethernet(ip4(frag=100, proto=17) / bytes(64))
_MIDDLE4 = ethernet(ip4(flags="MF", frag=100, proto=17) / bytes(64))
_ODD_LATER4 = ethernet(ip4(frag=1, proto=17) / bytes(_UDP))
_FIRST6 = ethernet(ip6(nh=44) / fragment(17, more=True) / _UDP)
_LATER6 = ethernet(ip6(nh=44) / fragment(17, position=100) / bytes(64))
_MIDDLE6 = ethernet(ip6(nh=44) / fragment(17, position=100, more=True) / bytes(64))
_ATOMIC6 = ethernet(ip6(nh=44) / fragment(17) / _UDP)
_NONE, _FIRST = Match(fragments=Fragments.NONE), Match(fragments=Fragments.FIRST)
_LATER, _ANY = Match(fragments=Fragments.LATER), Match(fragments=Fragments.ANY)

FRAGMENTS = (
    yes("fragments None: whole", _NONE, _V4),
    yes("fragments None: whole, IPv6", _NONE, _V6),
    yes("fragments None: don't-fragment is no fragment", _NONE, ethernet(ip4(flags="DF") / _UDP)),
    yes("fragments None: atomic, IPv6", _NONE, _ATOMIC6),
    no("fragments None: first", _NONE, _FIRST4),
    no("fragments None: first, IPv6", _NONE, _FIRST6),
    no("fragments None: later", _NONE, _LATER4),
    no("fragments None: later, IPv6", _NONE, _LATER6),
    no("fragments None: ARP is not IP", _NONE, ethernet(bytes(28), 0x0806)),
    yes("fragments First: first", _FIRST, _FIRST4),
    yes("fragments First: first, IPv6", _FIRST, _FIRST6),
    no("fragments First: middle", _FIRST, _MIDDLE4),
    no("fragments First: middle, IPv6", _FIRST, _MIDDLE6),
    no("fragments First: whole", _FIRST, _V4),
    no("fragments First: atomic, IPv6", _FIRST, _ATOMIC6),
    yes("fragments Later: last", _LATER, _LATER4),
    yes("fragments Later: last, IPv6", _LATER, _LATER6),
    yes("fragments Later: middle", _LATER, _MIDDLE4),
    yes("fragments Later: the smallest offset", _LATER, _ODD_LATER4),
    yes("fragments Later: the largest offset", _LATER, ethernet(ip4(frag=0x1FFF) / bytes(8))),
    yes(
        "fragments Later: the largest offset, IPv6",
        _LATER,
        ethernet(ip6(nh=44) / fragment(17, 0x1FFF) / bytes(8)),
    ),
    no("fragments Later: first", _LATER, _FIRST4),
    no("fragments Later: first, IPv6", _LATER, _FIRST6),
    no("fragments Later: whole", _LATER, _V6),
    yes("fragments Any: first", _ANY, _FIRST4),
    yes("fragments Any: later", _ANY, _LATER4),
    yes("fragments Any: first, IPv6", _ANY, _FIRST6),
    yes("fragments Any: later, IPv6", _ANY, _LATER6),
    no("fragments Any: whole", _ANY, _V4),
    no("fragments Any: atomic, IPv6", _ANY, _ATOMIC6),
    yes("fragments absent: a first fragment has ports", _DNS, _FIRST4),
    yes("fragments absent: a first fragment has ports, IPv6", _DNS, _FIRST6),
    yes("fragments absent: an atomic fragment has ports", _DNS, _ATOMIC6),
    no("fragments absent: what looks like ports in a later one", _DNS, _ODD_LATER4),
    no(
        "fragments absent: what looks like ports, IPv6",
        _DNS,
        ethernet(ip6(nh=44) / fragment(17, 1) / bytes(_UDP)),
    ),
    yes("a later fragment has its protocol", _IS_UDP, _LATER4),
    yes("a later fragment has its protocol, IPv6", _IS_UDP, _LATER6),
    no("a later fragment has another protocol", _IS_TCP, _LATER6),
    no(
        "Later with a port never holds",
        Match(fragments=Fragments.LATER, protocols=(17,), destination_ports=only(53)),
        _ODD_LATER4,
    ),
    yes(
        "First with a port",
        Match(fragments=Fragments.FIRST, protocols=(17,), destination_ports=only(53)),
        _FIRST6,
    ),
    yes("the reserved flag is no fragment", _NONE, patched(_V4, 20, b"\x80\x00")),
    yes(
        "a tiny first fragment has its protocol",
        _IS_TCP,
        ethernet(ip4(flags="MF", proto=6) / bytes(8)),
    ),
    no(
        "a tiny first fragment has no ports",
        Match(protocols=(6,), source_ports=only(0)),
        ethernet(ip4(flags="MF", proto=6) / bytes(8)),
    ),
)

ROWS = PROTOCOLS + DSCP + FRAGMENTS
