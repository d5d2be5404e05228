"""Rows about ports, TCP flags and ICMP types."""

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS
from scapy.layers.sctp import SCTP

from tests.spec.frames import ethernet, fragment, ip4, ip6
from tests.spec.packets.row import Row, between, no, only, yes
from xdpredirect.api.match import IcmpType, Match

_TCP, _UDP, _SCTP = (6,), (17,), (132,)


def _udp4(port: int) -> bytes:
    return ethernet(ip4() / UDP(sport=4000, dport=port))


def _to(protocols: tuple[int, ...], first: int, last: int) -> Match:
    return Match(protocols=protocols, destination_ports=between(first, last))


_TCP6 = ethernet(ip6() / TCP(sport=4000, dport=443))
_SCTP4 = ethernet(ip4() / SCTP(sport=4000, dport=2905))
_SCTP6 = ethernet(ip6() / SCTP(sport=4000, dport=2905))
_ESP = ethernet(ip4(proto=50) / b"\x0f\xa0\x00\x35" / bytes(16))  # its SPI looks like 4000 -> 53

PORTS = (
    yes("destinationPorts: equal", _to(_UDP, 53, 53), _udp4(53)),
    no("destinationPorts: one above", _to(_UDP, 53, 53), _udp4(54)),
    no("destinationPorts: one below", _to(_UDP, 53, 53), _udp4(52)),
    yes("destinationPorts: first of a range", _to(_UDP, 1000, 2000), _udp4(1000)),
    yes("destinationPorts: last of a range", _to(_UDP, 1000, 2000), _udp4(2000)),
    no("destinationPorts: just below a range", _to(_UDP, 1000, 2000), _udp4(999)),
    no("destinationPorts: just above a range", _to(_UDP, 1000, 2000), _udp4(2001)),
    yes("destinationPorts: octets are not swapped, 256", _to(_UDP, 256, 256), _udp4(256)),
    no("destinationPorts: octets are not swapped, 1", _to(_UDP, 1, 1), _udp4(256)),
    yes("destinationPorts: 0", _to(_UDP, 0, 0), _udp4(0)),
    yes("destinationPorts: 65535", _to(_UDP, 65535, 65535), _udp4(65535)),
    yes("destinationPorts: every port", _to(_UDP, 0, 65535), _udp4(65535)),
    yes(
        "destinationPorts: second of a list",
        Match(protocols=_UDP, destination_ports=only(80, 53)),
        _udp4(53),
    ),
    no(
        "destinationPorts: none of a list",
        Match(protocols=_UDP, destination_ports=only(80, 443)),
        _udp4(53),
    ),
    no("destinationPorts: the source port", _to(_UDP, 4000, 4000), _udp4(53)),
    yes("sourcePorts: equal", Match(protocols=_UDP, source_ports=only(4000)), _udp4(53)),
    no(
        "sourcePorts: the destination port", Match(protocols=_UDP, source_ports=only(53)), _udp4(53)
    ),
    yes(
        "both ports",
        Match(protocols=_UDP, source_ports=only(4000), destination_ports=only(53)),
        _udp4(53),
    ),
    no(
        "both ports, one fails",
        Match(protocols=_UDP, source_ports=only(4001), destination_ports=only(53)),
        _udp4(53),
    ),
    yes("TCP over IPv6", _to(_TCP, 443, 443), _TCP6),
    no("TCP over IPv6, one above", _to(_TCP, 444, 444), _TCP6),
    no("the port of another protocol", _to(_TCP, 53, 53), _udp4(53)),
    yes("one of two protocols", _to(_TCP + _UDP, 53, 53), _udp4(53)),
    yes("SCTP", _to(_SCTP, 2905, 2905), _SCTP4),
    yes("SCTP over IPv6", _to(_SCTP, 2900, 2905), _SCTP6),
    no("SCTP, another port", _to(_SCTP, 2906, 2906), _SCTP4),
    no("ESP has no ports", Match(protocols=(50,), destination_ports=between(0, 65535)), _ESP),
    no(
        "ICMP has no ports",
        Match(protocols=(1,), source_ports=between(0, 65535)),
        ethernet(ip4() / ICMP()),
    ),
)


def _tcp(flags: str) -> bytes:
    return ethernet(ip4() / TCP(sport=4000, dport=443, flags=flags))


_FIN, _SYN, _RST, _PSH, _ACK, _URG, _ECE, _CWR = (1 << bit for bit in range(8))


def _flags(wanted: int, unwanted: int = 0) -> Match:
    return Match(protocols=_TCP, tcp_set=wanted, tcp_unset=unwanted)


TCP_FLAGS = (
    yes("set SYN: SYN", _flags(_SYN), _tcp("S")),
    yes("set SYN: SYN ACK", _flags(_SYN), _tcp("SA")),
    no("set SYN: ACK", _flags(_SYN), _tcp("A")),
    yes("set SYN, unset ACK: SYN", _flags(_SYN, _ACK), _tcp("S")),
    no("set SYN, unset ACK: SYN ACK", _flags(_SYN, _ACK), _tcp("SA")),
    yes("set SYN ACK: both", _flags(_SYN | _ACK), _tcp("SA")),
    no("set SYN ACK: one of them", _flags(_SYN | _ACK), _tcp("S")),
    yes("unset RST: FIN ACK", _flags(0, _RST), _tcp("FA")),
    no("unset RST: RST", _flags(0, _RST), _tcp("R")),
    no("unset FIN RST: one is enough", _flags(0, _FIN | _RST), _tcp("RA")),
    yes("unset all: no flag", _flags(0, 0xFF), _tcp("")),
    no("unset all: PSH", _flags(0, 0xFF), _tcp("P")),
    yes("set all: every flag", _flags(0xFF), _tcp("FSRPAUEC")),
    no("set all: CWR is missing", _flags(0xFF), _tcp("FSRPAUE")),
    yes("set FIN PSH URG", _flags(_FIN | _PSH | _URG), _tcp("FPU")),
    yes("set ECE CWR", _flags(_ECE | _CWR), _tcp("SEC")),
    yes("flags over IPv6", _flags(_SYN, _ACK), ethernet(ip6() / TCP(flags="S"))),
    no("flags over IPv6, unset", _flags(_SYN, _ACK), ethernet(ip6() / TCP(flags="SA"))),
    yes("flags of a first fragment", _flags(_SYN), ethernet(ip4(flags="MF") / TCP(flags="S"))),
    no("no flags in a later fragment", _flags(_SYN), ethernet(ip4(frag=1) / TCP(flags="S"))),
    no(
        "no flags in a later fragment, unset",
        _flags(0, _RST),
        ethernet(ip4(frag=1) / TCP(flags="S")),
    ),
    no("UDP has no flags, unset", _flags(0, _RST), _udp4(53)),
    yes("the ninth flag bit does not count", _flags(0, 0xFF), ethernet(ip4() / TCP(flags="N"))),
)

_ECHO4, _ECHO6 = ethernet(ip4() / ICMP(type=8)), ethernet(ip6() / ICMPv6EchoRequest())
_NO_PORT4 = ethernet(ip4() / ICMP(type=3, code=3) / bytes(28))


def _icmp(protocol: int, *types: tuple[int, int | None]) -> Match:
    return Match(protocols=(protocol,), icmp_types=tuple(IcmpType(*each) for each in types))


ICMP_TYPES: tuple[Row, ...] = (
    yes("type 8: echo request", _icmp(1, (8, None)), _ECHO4),
    no("type 0: echo request", _icmp(1, (0, None)), _ECHO4),
    yes("type 0: echo reply", _icmp(1, (0, None)), ethernet(ip4() / ICMP(type=0))),
    yes("type 3, any code: code 3", _icmp(1, (3, None)), _NO_PORT4),
    yes("type 3 code 3", _icmp(1, (3, 3)), _NO_PORT4),
    no("type 3 code 4: code 3", _icmp(1, (3, 4)), _NO_PORT4),
    no("type 3 code 0: code 3", _icmp(1, (3, 0)), _NO_PORT4),
    yes("type 8 code 0: code 0", _icmp(1, (8, 0)), _ECHO4),
    yes("second of a list", _icmp(1, (3, 4), (8, None)), _ECHO4),
    no("codes do not change items", _icmp(1, (3, 4), (8, 3)), _NO_PORT4),
    yes("type 128: ICMPv6 echo request", _icmp(58, (128, None)), _ECHO6),
    no("type 129: ICMPv6 echo request", _icmp(58, (129, None)), _ECHO6),
    yes("type 135: neighbour solicitation", _icmp(58, (135, 0)), ethernet(ip6() / ICMPv6ND_NS())),
    no("ICMP asked, ICMPv6 comes", _icmp(1, (128, None)), _ECHO6),
    no("ICMPv6 asked, ICMP comes", _icmp(58, (8, None)), _ECHO4),
    yes("type 255 code 255", _icmp(1, (255, 255)), ethernet(ip4(proto=1) / b"\xff\xff\x00\x00")),
    yes("a first fragment", _icmp(1, (8, None)), ethernet(ip4(flags="MF") / ICMP(type=8))),
    no("a later fragment", _icmp(1, (8, None)), ethernet(ip4(frag=3) / ICMP(type=8))),
    no(
        "a later fragment, IPv6",
        _icmp(58, (128, None)),
        ethernet(ip6(nh=44) / fragment(58, 3) / b"\x80\0\0\0"),
    ),
    no(
        "UDP: its port looks like type 8",
        Match(icmp_types=(IcmpType(8, None),)),
        ethernet(ip4() / UDP(sport=0x0800, dport=53)),
    ),
)

ROWS = PORTS + TCP_FLAGS + ICMP_TYPES
