"""Rows about frames that end too early or contradict themselves, at every cut."""

from scapy.layers.inet import ICMP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import ICMPv6EchoRequest
from scapy.layers.sctp import SCTP

from tests.spec.frames import HOST_MAC, ethernet, ip4, ip6, mac, patched, service, vlan
from tests.spec.packets.row import Row, between, cidrs, no, only, yes
from xdpredirect.api.match import Fragments, IcmpType, Match

_V4 = ethernet(ip4() / UDP(sport=4000, dport=53))
_V6 = ethernet(ip6() / UDP(sport=4000, dport=53))
_TAGGED = ethernet(ip4() / UDP(sport=4000, dport=53), tags=[vlan(100)])
_QINQ = ethernet(ip6() / UDP(sport=4000, dport=53), tags=[service(100), vlan(200)])
_TCP4, _SCTP4 = ethernet(ip4() / TCP(sport=4000)), ethernet(ip4() / SCTP(sport=4000))
_TCP6, _SCTP6 = ethernet(ip6() / TCP(sport=4000)), ethernet(ip6() / SCTP(sport=4000))
_PING6 = ethernet(ip6() / ICMPv6EchoRequest())
_PING4 = ethernet(ip4() / ICMP(type=8))
_OPTIONS4 = ethernet(ip4(options=[IPOption_NOP()] * 8) / UDP(sport=4000, dport=53))

_ALL = Match(all=True)
_FROM_HOST = Match(source_macs=(mac(HOST_MAC),))
_IPV4, _IPV6 = Match(ether_types=(0x0800,)), Match(ether_types=(0x86DD,))
_TO_DNS = Match(protocols=(17,), destination_ports=only(53))
_IS_UDP, _WHOLE = Match(protocols=(17,)), Match(fragments=Fragments.NONE)
_IPV4_SOURCE, _IPV6_SOURCE = (
    Match(source_cidrs=cidrs("0.0.0.0/0")),
    Match(source_cidrs=cidrs("::/0")),
)

ETHERNET: tuple[Row, ...] = (
    yes("13 octets: all", _ALL, _V4[:13]),
    no("13 octets: no MAC is believed", _FROM_HOST, _V4[:13]),
    no("13 octets: no EtherType", Match(ether_types=(0x0800, 0x0008)), _V4[:13]),
    no("13 octets: not untagged either", Match(vlan_tags=0), _V4[:13]),
    yes("13 octets: its length is known", Match(lengths=only(13)), _V4[:13]),
    yes("13 octets: its queue is known", Match(rx_queues=only(0)), _V4[:13]),
    yes("0 octets: all", _ALL, b""),
    no("0 octets: nothing else", _IPV4, b""),
    yes("14 octets: all", _ALL, _V4[:14]),
    yes("14 octets: the MAC", _FROM_HOST, _V4[:14]),
    yes("14 octets: the EtherType", _IPV4, _V4[:14]),
    yes("14 octets: untagged", Match(vlan_tags=0), _V6[:14]),
    no("14 octets: no address", _IPV4_SOURCE, _V4[:14]),
    no("14 octets: no protocol", Match(protocols=tuple(range(16))), _V4[:14]),
    no("14 octets: no fragment state", _WHOLE, _V4[:14]),
    yes("first buffer of 14 octets: the MAC", _FROM_HOST, _V4, linear=14),
    no("first buffer of 14 octets: no address", _IPV4_SOURCE, _V4, linear=14),
)

TAGS = (
    yes("tag without its type: all", _ALL, _TAGGED[:16]),
    no("tag without its type: no ID", Match(vlan_ids=only(100)), _TAGGED[:16]),
    no("tag without its type: no MAC either", _FROM_HOST, _TAGGED[:16]),
    no("tag without its type: no tag", Match(vlan_tags=1), _TAGGED[:16]),
    yes("tag without its type: length", Match(lengths=only(16)), _TAGGED[:16]),
    no("tag cut after one octet", Match(vlan_ids=between(0, 4094)), _TAGGED[:15]),
    no("a TPID and nothing more", Match(ether_types=(0x8100,)), _TAGGED[:14]),
    no("tag with half its type", Match(vlan_ids=only(100)), _TAGGED[:17]),
    yes("tag with its type: ID", Match(vlan_ids=only(100)), _TAGGED[:18]),
    yes("tag with its type: EtherType", _IPV4, _TAGGED[:18]),
    no("tag with its type: no protocol", _IS_UDP, _TAGGED[:18]),
    no("second tag cut: not even the first", Match(vlan_ids=only(100)), _QINQ[:21]),
    no("second tag cut: nor one tag", Match(vlan_tags=1), _QINQ[:18]),
    yes(
        "second tag with its type: both IDs",
        Match(vlan_ids=only(100), inner_vlan_ids=only(200)),
        _QINQ[:22],
    ),
    yes("second tag with its type: EtherType", _IPV6, _QINQ[:22]),
    no("first buffer ends in the tag", Match(vlan_ids=only(100)), _TAGGED, linear=17),
    yes("first buffer ends with the tag", Match(vlan_ids=only(100)), _TAGGED, linear=18),
)

IPV4 = (
    no("IPv4 cut by one octet: no protocol", _IS_UDP, _V4[:33]),
    no("IPv4 cut by one octet: no source", _IPV4_SOURCE, _V4[:33]),
    no("IPv4 cut by one octet: no DSCP", Match(dscp=(0,)), _V4[:33]),
    no("IPv4 cut by one octet: no fragment state", _WHOLE, _V4[:33]),
    yes("IPv4 cut by one octet: EtherType", _IPV4, _V4[:33]),
    yes("IPv4 header alone: protocol", _IS_UDP, _V4[:34]),
    yes("IPv4 header alone: source", _IPV4_SOURCE, _V4[:34]),
    no("IPv4 header alone: no port", _TO_DNS, _V4[:34]),
    no("IPv4 with version 6", _IS_UDP, patched(_V4, 14, b"\x65")),
    no("IPv4 with version 0", _IPV4_SOURCE, patched(_V4, 14, b"\x05")),
    yes("IPv4 with version 6: EtherType", _IPV4, patched(_V4, 14, b"\x65")),
    no("IPv4 with a header of 16 octets", _IS_UDP, patched(_V4, 14, b"\x44")),
    no("IPv4 with a header of 0 octets", _WHOLE, patched(_V4, 14, b"\x40")),
    no("IPv4 options beyond the end", _IS_UDP, patched(_V4, 14, b"\x4f")),
    no("IPv4 options beyond the end: no source", _IPV4_SOURCE, patched(_V4, 14, b"\x4f")),
    no("IPv4 options cut by one octet", _IS_UDP, _OPTIONS4[:41]),
    yes("IPv4 options whole", _IS_UDP, _OPTIONS4[:42]),
    no("first buffer ends in the options", _IS_UDP, _OPTIONS4, linear=41),
    yes("IPv6 header under the IPv4 type: EtherType only", _IPV4, ethernet(ip6() / UDP(), 0x0800)),
    no("IPv6 header under the IPv4 type: no protocol", _IS_UDP, ethernet(ip6() / UDP(), 0x0800)),
)

IPV6 = (
    no("IPv6 cut by one octet: no protocol", _IS_UDP, _V6[:53]),
    no("IPv6 cut by one octet: no source", _IPV6_SOURCE, _V6[:53]),
    no("IPv6 cut by one octet: no DSCP", Match(dscp=(0,)), _V6[:53]),
    yes("IPv6 cut by one octet: EtherType", _IPV6, _V6[:53]),
    yes("IPv6 header alone: protocol", _IS_UDP, _V6[:54]),
    yes("IPv6 header alone: source", _IPV6_SOURCE, _V6[:54]),
    no("IPv6 header alone: no port", _TO_DNS, _V6[:54]),
    no("IPv6 with version 4", _IS_UDP, patched(_V6, 14, b"\x45")),
    no("IPv6 with version 7", _IPV6_SOURCE, patched(_V6, 14, b"\x70")),
    yes("IPv6 with version 4: EtherType", _IPV6, patched(_V6, 14, b"\x45")),
    no("IPv4 header under the IPv6 type", _IS_UDP, ethernet(ip4() / UDP() / bytes(40), 0x86DD)),
)

TRANSPORT = (
    no("UDP cut by one octet: no port", _TO_DNS, _V4[:41]),
    yes("UDP cut by one octet: protocol", _IS_UDP, _V4[:41]),
    no("UDP cut by one octet, IPv6", _TO_DNS, _V6[:61]),
    yes("UDP header alone, IPv6", _TO_DNS, _V6[:62]),
    no("TCP cut by one octet: no port", Match(protocols=(6,), source_ports=only(4000)), _TCP4[:53]),
    no("TCP cut by one octet: no flag", Match(protocols=(6,), tcp_set=2), _TCP4[:53]),
    no(
        "TCP cut by one octet: unset holds not either",
        Match(protocols=(6,), tcp_unset=4),
        _TCP4[:53],
    ),
    yes("TCP header alone", Match(protocols=(6,), source_ports=only(4000)), _TCP4[:54]),
    no("TCP cut by one octet, IPv6", Match(protocols=(6,), tcp_set=2), _TCP6[:73]),
    yes("TCP header alone, IPv6", Match(protocols=(6,), tcp_set=2), _TCP6[:74]),
    yes(
        "TCP with a data offset of 0", Match(protocols=(6,), tcp_set=2), patched(_TCP4, 46, b"\x00")
    ),
    yes(
        "TCP with a data offset beyond the end",
        Match(protocols=(6,), tcp_set=2),
        patched(_TCP4, 46, b"\xf0"),
    ),
    no("SCTP cut by one octet", Match(protocols=(132,), source_ports=only(4000)), _SCTP4[:45]),
    yes("SCTP header alone", Match(protocols=(132,), source_ports=only(4000)), _SCTP4[:46]),
    no(
        "SCTP cut by one octet, IPv6", Match(protocols=(132,), source_ports=only(4000)), _SCTP6[:65]
    ),
    no(
        "ICMP cut by one octet", Match(protocols=(1,), icmp_types=(IcmpType(8, None),)), _PING4[:37]
    ),
    yes(
        "ICMP type, code and checksum",
        Match(protocols=(1,), icmp_types=(IcmpType(8, None),)),
        _PING4[:38],
    ),
    no(
        "ICMPv6 cut by one octet",
        Match(protocols=(58,), icmp_types=(IcmpType(128, None),)),
        _PING6[:57],
    ),
    yes(
        "ICMPv6 type, code and checksum",
        Match(protocols=(58,), icmp_types=(IcmpType(128, None),)),
        _PING6[:58],
    ),
    yes("UDP with a length of 0", _TO_DNS, patched(_V4, 38, b"\x00\x00")),
    no("first buffer ends in UDP", _TO_DNS, _V4, linear=41),
    yes("first buffer ends with UDP", _TO_DNS, _V4, linear=42),
)

ROWS = ETHERNET + TAGS + IPV4 + IPV6 + TRANSPORT
