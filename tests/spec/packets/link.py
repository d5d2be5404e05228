"""Rows about Ethernet: EtherType, VLAN tags, MACs."""

from scapy.layers.inet import UDP

from tests.spec.frames import HOST_MAC, ROUTER_MAC, ethernet, ip4, ip6, mac, patched, service, vlan
from tests.spec.packets.row import between, no, only, yes
from xdpredirect.api.match import Match

_IP4, _IP6 = ip4() / UDP(sport=4000, dport=53), ip6() / UDP(sport=4000, dport=53)
_UNTAGGED = ethernet(_IP4)
_VLAN_100 = ethernet(_IP4, tags=[vlan(100)])
_VLAN_100_V6 = ethernet(_IP6, tags=[vlan(100)])
_PRIORITY = ethernet(_IP4, tags=[vlan(0, priority=5)])
_QINQ = ethernet(_IP4, tags=[service(100), vlan(200)])
_QINQ_V6 = ethernet(_IP6, tags=[service(100), vlan(200)])
_THREE_TAGS = ethernet(_IP4, tags=[service(100), vlan(200), vlan(300)])
_ARP = ethernet(bytes(28), 0x0806)

_V4, _V6 = Match(ether_types=(0x0800,)), Match(ether_types=(0x86DD,))

ETHER_TYPES = (
    yes("all: an IPv4 frame", Match(all=True), _UNTAGGED),
    yes("all: a frame of an unknown EtherType", Match(all=True), ethernet(bytes(46), 0x1234)),
    yes("all: three tags", Match(all=True), _THREE_TAGS),
    yes("etherTypes IPv4: IPv4", _V4, _UNTAGGED),
    no("etherTypes IPv4: IPv6", _V4, ethernet(_IP6)),
    yes("etherTypes IPv6: IPv6", _V6, ethernet(_IP6)),
    no("etherTypes IPv6: IPv4", _V6, _UNTAGGED),
    no("etherTypes IPv4: ARP", _V4, _ARP),
    yes("etherTypes ARP: ARP", Match(ether_types=(0x0806,)), _ARP),
    yes("etherTypes, second of a list", Match(ether_types=(0x86DD, 0x0800)), _UNTAGGED),
    no("etherTypes, none of a list", Match(ether_types=(0x86DD, 0x0800)), _ARP),
    yes("etherTypes: the type after one tag", _V4, _VLAN_100),
    yes("etherTypes: the type after two tags", _V6, _QINQ_V6),
    no("etherTypes: a tag's TPID is not the type", Match(ether_types=(0x8100,)), _VLAN_100),
    no("etherTypes IPv4: three tags hide the type", _V4, _THREE_TAGS),
    yes("etherTypes: a third tag's TPID is the type", Match(ether_types=(0x8100,)), _THREE_TAGS),
    no("etherTypes 0x88a8: the third TPID is 0x8100", Match(ether_types=(0x88A8,)), _THREE_TAGS),
    yes("etherTypes: 0xffff", Match(ether_types=(0xFFFF,)), ethernet(bytes(46), 0xFFFF)),
    yes(
        "etherTypes: a length field is a number too",
        Match(ether_types=(38,)),
        ethernet(bytes(46), 38),
    ),
    no("etherTypes: octets of the type are not swapped", Match(ether_types=(0x0008,)), _UNTAGGED),
    no("etherTypes: TPID 0x9100 is no tag", _V4, patched(_VLAN_100, 12, b"\x91\x00")),
    yes(
        "etherTypes: TPID 0x9100 is the type",
        Match(ether_types=(0x9100,)),
        patched(_VLAN_100, 12, b"\x91\x00"),
    ),
)

VLAN_TAGS = (
    yes("vlanTags None: untagged", Match(vlan_tags=0), _UNTAGGED),
    no("vlanTags None: one tag", Match(vlan_tags=0), _VLAN_100),
    no("vlanTags None: a priority tag counts", Match(vlan_tags=0), _PRIORITY),
    yes("vlanTags One: one tag", Match(vlan_tags=1), _VLAN_100),
    yes("vlanTags One: a priority tag", Match(vlan_tags=1), _PRIORITY),
    yes("vlanTags One: one service tag", Match(vlan_tags=1), ethernet(_IP6, tags=[service(7)])),
    no("vlanTags One: untagged", Match(vlan_tags=1), _UNTAGGED),
    no("vlanTags One: two tags", Match(vlan_tags=1), _QINQ),
    yes("vlanTags Two: service and customer tag", Match(vlan_tags=2), _QINQ),
    yes(
        "vlanTags Two: two customer tags",
        Match(vlan_tags=2),
        ethernet(_IP4, tags=[vlan(1), vlan(2)]),
    ),
    yes("vlanTags Two: three tags", Match(vlan_tags=2), _THREE_TAGS),
    no("vlanTags Two: one tag", Match(vlan_tags=2), _VLAN_100),
    no("vlanTags Two: untagged", Match(vlan_tags=2), _UNTAGGED),
)

VLAN_IDS = (
    yes("vlanIDs 100: VLAN 100", Match(vlan_ids=only(100)), _VLAN_100),
    yes("vlanIDs 100: VLAN 100, IPv6", Match(vlan_ids=only(100)), _VLAN_100_V6),
    no("vlanIDs 101: VLAN 100", Match(vlan_ids=only(101)), _VLAN_100),
    no("vlanIDs: untagged", Match(vlan_ids=between(0, 4094)), _UNTAGGED),
    yes("vlanIDs 0: priority tag", Match(vlan_ids=only(0)), _PRIORITY),
    yes(
        "vlanIDs: priority bits are no part of the ID",
        Match(vlan_ids=only(100)),
        ethernet(_IP4, tags=[vlan(100, 7)]),
    ),
    yes(
        "vlanIDs: the drop-eligible bit is no part of the ID",
        Match(vlan_ids=only(100)),
        ethernet(_IP4, tags=[(0x8100, 0x1064)]),
    ),
    yes("vlanIDs: first of a range", Match(vlan_ids=between(100, 109)), _VLAN_100),
    yes("vlanIDs: last of a range", Match(vlan_ids=between(91, 100)), _VLAN_100),
    no("vlanIDs: just below a range", Match(vlan_ids=between(101, 109)), _VLAN_100),
    no("vlanIDs: just above a range", Match(vlan_ids=between(90, 99)), _VLAN_100),
    yes("vlanIDs: second range", Match(vlan_ids=between(1, 9) + only(100)), _VLAN_100),
    yes("vlanIDs 4094: the highest", Match(vlan_ids=only(4094)), ethernet(_IP4, tags=[vlan(4094)])),
    no(
        "vlanIDs to 4094: the reserved 4095",
        Match(vlan_ids=between(0, 4094)),
        ethernet(_IP4, tags=[vlan(4095)]),
    ),
    yes("vlanIDs: the outer of two", Match(vlan_ids=only(100)), _QINQ),
    no("vlanIDs: not the inner of two", Match(vlan_ids=only(200)), _QINQ),
    yes("innerVLANIDs: the inner of two", Match(inner_vlan_ids=only(200)), _QINQ),
    no("innerVLANIDs: not the outer of two", Match(inner_vlan_ids=only(100)), _QINQ),
    no("innerVLANIDs: one tag has no inner", Match(inner_vlan_ids=only(100)), _VLAN_100),
    no("innerVLANIDs: untagged", Match(inner_vlan_ids=between(0, 4094)), _UNTAGGED),
    yes("innerVLANIDs: the second of three", Match(inner_vlan_ids=only(200)), _THREE_TAGS),
    no("innerVLANIDs: not the third of three", Match(inner_vlan_ids=only(300)), _THREE_TAGS),
    yes("innerVLANIDs: range edge", Match(inner_vlan_ids=between(200, 300)), _QINQ_V6),
    yes("both IDs", Match(vlan_ids=only(100), inner_vlan_ids=only(200)), _QINQ),
    no("both IDs, exchanged", Match(vlan_ids=only(200), inner_vlan_ids=only(100)), _QINQ),
    yes(
        "a VLAN and what it carries",
        Match(vlan_ids=only(100), protocols=(17,), destination_ports=only(53)),
        _VLAN_100,
    ),
    yes(
        "two tags and what they carry, IPv6",
        Match(vlan_tags=2, protocols=(17,), destination_ports=only(53)),
        _QINQ_V6,
    ),
    no("three tags: what they carry is not read", Match(protocols=(17,)), _THREE_TAGS),
)

MACS = (
    yes("sourceMACs: equal", Match(source_macs=(mac(HOST_MAC),)), _UNTAGGED),
    no("sourceMACs: the destination's", Match(source_macs=(mac(ROUTER_MAC),)), _UNTAGGED),
    no("sourceMACs: last octet differs", Match(source_macs=(mac("02:00:00:00:00:03"),)), _UNTAGGED),
    no(
        "sourceMACs: first octet differs", Match(source_macs=(mac("06:00:00:00:00:02"),)), _UNTAGGED
    ),
    yes(
        "sourceMACs: second of a list",
        Match(source_macs=(mac("02:00:00:00:00:03"), mac(HOST_MAC))),
        _UNTAGGED,
    ),
    yes("destinationMACs: equal", Match(destination_macs=(mac(ROUTER_MAC),)), _ARP),
    no("destinationMACs: the source's", Match(destination_macs=(mac(HOST_MAC),)), _ARP),
    yes(
        "destinationMACs: broadcast",
        Match(destination_macs=(bytes([255] * 6),)),
        ethernet(_IP4, destination="ff:ff:ff:ff:ff:ff"),
    ),
    yes(
        "both MACs", Match(source_macs=(mac(HOST_MAC),), destination_macs=(mac(ROUTER_MAC),)), _QINQ
    ),
    no(
        "both MACs, exchanged",
        Match(source_macs=(mac(ROUTER_MAC),), destination_macs=(mac(HOST_MAC),)),
        _QINQ,
    ),
)

ROWS = ETHER_TYPES + VLAN_TAGS + VLAN_IDS + MACS
