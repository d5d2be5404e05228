"""Rows about where a frame arrived and how long it is, jumbo frames included."""

from scapy.layers.inet import TCP, UDP

from tests.spec.frames import ethernet, ip4, ip6, padded
from tests.spec.packets.row import between, no, only, yes
from xdpredirect.api.match import Match

_SHORT = ethernet(ip4() / UDP(sport=4000, dport=53))  # 42 octets
_SHORT_V6 = ethernet(ip6() / UDP(sport=4000, dport=53))  # 62 octets
_ODD = ethernet(ip4() / UDP(sport=4000, dport=53) / bytes(59))  # 101 octets
_JUMBO = ethernet(ip4() / TCP(sport=4000, dport=443) / bytes(8946))  # 9000 octets
_JUMBO_V6 = ethernet(ip6() / TCP(sport=4000, dport=443) / bytes(8926))  # 9000 octets
_DNS = Match(protocols=(17,), destination_ports=only(53))

LENGTHS = (
    yes("lengths: exactly", Match(lengths=only(42)), _SHORT),
    yes("lengths: first of a range", Match(lengths=between(42, 100)), _SHORT),
    yes("lengths: last of a range", Match(lengths=between(14, 42)), _SHORT),
    no("lengths: one below the range", Match(lengths=between(43, 100)), _SHORT),
    no("lengths: one above the range", Match(lengths=between(14, 41)), _SHORT),
    yes("lengths: from 14 on takes everything", Match(lengths=between(14, 65535)), _SHORT_V6),
    yes("lengths: the smallest, a bare header", Match(lengths=only(14)), ethernet(b"", 0x1234)),
    yes("lengths: odd", Match(lengths=only(101)), _ODD),
    no("lengths: odd, its even neighbours", Match(lengths=only(100, 102)), _ODD),
    yes("lengths: second range", Match(lengths=only(64) + between(100, 200)), _ODD),
    yes("lengths: padding counts", Match(lengths=only(60)), padded(_SHORT, 60)),
    yes("lengths: what a match reads is not disturbed by padding", _DNS, padded(_SHORT, 60)),
    yes("lengths: padding of odd length", _DNS, padded(_SHORT, 61)),
    yes(
        "lengths with ports",
        Match(lengths=between(60, 70), protocols=(17,), destination_ports=only(53)),
        _SHORT_V6,
    ),
    no(
        "lengths fails, ports hold",
        Match(lengths=between(63, 70), protocols=(17,), destination_ports=only(53)),
        _SHORT_V6,
    ),
)

JUMBO = (
    yes(
        "jumbo: the whole length counts, not the first buffer's",
        Match(lengths=only(9000)),
        _JUMBO,
        linear=3500,
    ),
    no(
        "jumbo: the first buffer's length does not count",
        Match(lengths=only(3500)),
        _JUMBO,
        linear=3500,
    ),
    no("jumbo: one below the range", Match(lengths=between(9001, 65535)), _JUMBO, linear=3500),
    no("jumbo: one above the range", Match(lengths=between(14, 8999)), _JUMBO_V6, linear=3500),
    yes(
        "jumbo: headers of the first buffer",
        Match(protocols=(6,), destination_ports=only(443)),
        _JUMBO,
        linear=3500,
    ),
    yes(
        "jumbo: headers of the first buffer, IPv6",
        Match(protocols=(6,), destination_ports=only(443)),
        _JUMBO_V6,
        linear=3500,
    ),
    no(
        "jumbo: another port",
        Match(protocols=(6,), destination_ports=only(80)),
        _JUMBO_V6,
        linear=3500,
    ),
    yes(
        "jumbo: length and flags",
        Match(lengths=between(1519, 9000), protocols=(6,), tcp_set=2),
        _JUMBO,
        linear=3500,
    ),
    yes(
        "two buffers: the TCP header ends the first",
        Match(protocols=(6,), source_ports=only(4000)),
        _JUMBO,
        linear=54,
    ),
    no(
        "two buffers: the TCP header is cut by one octet",
        Match(protocols=(6,), source_ports=only(4000)),
        _JUMBO,
        linear=53,
    ),
    yes("two buffers: the protocol is still read", Match(protocols=(6,)), _JUMBO, linear=53),
    no("two buffers: the IPv4 header is cut", Match(protocols=(6,)), _JUMBO, linear=33),
    yes(
        "two buffers: cut IPv4 header, EtherType is read",
        Match(ether_types=(0x0800,)),
        _JUMBO,
        linear=33,
    ),
    no("two buffers: the IPv6 header is cut", Match(protocols=(6,)), _JUMBO_V6, linear=53),
)

QUEUES = (
    yes("rxQueues 0: queue 0", Match(rx_queues=only(0)), _SHORT),
    no("rxQueues 1: queue 0", Match(rx_queues=only(1)), _SHORT),
    yes("rxQueues 0-3: queue 3", Match(rx_queues=between(0, 3)), _SHORT, rx_queue=3),
    no("rxQueues 0-3: queue 4", Match(rx_queues=between(0, 3)), _SHORT, rx_queue=4),
    no("rxQueues 1-3: queue 0", Match(rx_queues=between(1, 3)), _SHORT),
    yes("rxQueues 1-3: queue 1", Match(rx_queues=between(1, 3)), _SHORT_V6, rx_queue=1),
    yes("rxQueues 0-3,8: queue 8", Match(rx_queues=between(0, 3) + only(8)), _SHORT, rx_queue=8),
    no("rxQueues 0-3,8: queue 7", Match(rx_queues=between(0, 3) + only(8)), _SHORT, rx_queue=7),
    yes(
        "rxQueues with a port",
        Match(rx_queues=only(2), protocols=(17,), destination_ports=only(53)),
        _SHORT,
        rx_queue=2,
    ),
)

INTERFACES = (
    yes("interfaces: the name", Match(interfaces=("eth0",)), _SHORT),
    no("interfaces: another name", Match(interfaces=("eth1",)), _SHORT),
    no("interfaces: a beginning is not enough", Match(interfaces=("eth",)), _SHORT),
    no("interfaces: capitals differ", Match(interfaces=("ETH0",)), _SHORT),
    yes(
        "interfaces: * stands for any text",
        Match(interfaces=("eth*",)),
        _SHORT,
        interface="eth0.100",
    ),
    yes("interfaces: * stands for nothing", Match(interfaces=("eth0*",)), _SHORT),
    yes("interfaces: ? stands for one character", Match(interfaces=("eth?",)), _SHORT),
    no(
        "interfaces: ? does not stand for two",
        Match(interfaces=("eth?",)),
        _SHORT,
        interface="eth10",
    ),
    no("interfaces: a dot is a dot", Match(interfaces=("eth0.1",)), _SHORT, interface="eth0x1"),
    yes("interfaces: second of a list", Match(interfaces=("ens*", "eth0")), _SHORT),
    yes(
        "interfaces: an alternative name",
        Match(interfaces=("uplink",)),
        _SHORT,
        alt_names=("wan", "uplink"),
    ),
    yes(
        "interfaces: a glob on an alternative name",
        Match(interfaces=("up*",)),
        _SHORT,
        alt_names=("uplink",),
    ),
    no("interfaces: neither name", Match(interfaces=("lan*",)), _SHORT, alt_names=("uplink",)),
)

ROWS = LENGTHS + JUMBO + QUEUES + INTERFACES
