"""Questions: every match field becomes exactly one line, and the fields it reads are parsed."""

import pytest

from tests.unit.datapath.samples import net
from xdpredirect.api.match import Fragments, IcmpType, Match, Prefix, Range
from xdpredirect.datapath.fields import DESTINATION, ICMP, PORTS, PROTOCOL, SOURCE, TRANSPORT, Field
from xdpredirect.datapath.questions import Side, local_addresses, questions

NO_SIDE = Side()
IP = Field.IP
SOURCE_PORT = "SOURCE_PORT"


@pytest.mark.parametrize(
    ("match", "line", "fields"),
    [
        (
            Match(ether_types=(0x800, 0x86DD)),
            "ETHER_TYPE(0x0800) ETHER_TYPE(0x86dd)",
            Field.ETHER_TYPE,
        ),
        (Match(vlan_tags=0), "TAGS(0)", Field.VLAN),
        (Match(vlan_tags=2), "TAGS(2)", Field.VLAN),
        (Match(vlan_ids=(Range(1, 5),)), "VLAN_ID(1, 5)", Field.VLAN),
        (Match(inner_vlan_ids=(Range(7, 7),)), "INNER_VLAN_ID(7, 7)", Field.VLAN),
        (Match(source_macs=(b"\2\0\0\0\0\1",)), "SOURCE_MAC(0x020000000001ULL)", Field.MACS),
        (Match(destination_macs=(b"\xff" * 6,)), "DESTINATION_MAC(0xffffffffffffULL)", Field.MACS),
        (Match(protocols=(6, 17)), "PROTOCOL(6) PROTOCOL(17)", PROTOCOL),
        (
            Match(source_ports=(Range(1, 2), Range(9, 9))),
            "SOURCE_PORT(1, 2) SOURCE_PORT(9, 9)",
            PORTS,
        ),
        (Match(destination_ports=(Range(53, 53),)), "DESTINATION_PORT(53, 53)", PORTS),
        (Match(dscp=(0, 46)), "DSCP(0) DSCP(46)", IP | Field.DSCP),
        (Match(tcp_set=2, tcp_unset=16), "TCP_FLAGS(0x02, 0x10)", TRANSPORT | Field.TCP_FLAGS),
        (Match(tcp_unset=1), "TCP_FLAGS(0x00, 0x01)", TRANSPORT | Field.TCP_FLAGS),
        (Match(fragments=Fragments.NONE), "FRAGMENT(WHOLE)", IP | Field.FRAGMENT),
        (Match(fragments=Fragments.FIRST), "FRAGMENT(FIRST_FRAGMENT)", IP | Field.FRAGMENT),
        (
            Match(fragments=Fragments.ANY),
            "FRAGMENT(FIRST_FRAGMENT) FRAGMENT(LATER_FRAGMENT)",
            IP | Field.FRAGMENT,
        ),
        (Match(rx_queues=(Range(0, 3),)), "RX_QUEUE(0, 3)", Field(0)),
        (Match(lengths=(Range(64, 128),)), "LENGTH(64, 128)", Field.LENGTH),
        (Match(icmp_types=(IcmpType(8, None), IcmpType(3, 4))), "ICMP_TYPE(8) ICMP(3, 4)", ICMP),
    ],
)
def test_one_field_is_one_question(match: Match, line: str, fields: Field) -> None:
    asked, used = questions(match, NO_SIDE, NO_SIDE)
    assert asked == (f"ANY({line})",)
    assert used & fields == fields


def test_everything_asks_nothing() -> None:
    assert questions(Match(all=True), NO_SIDE, NO_SIDE) == ((), Field(0))


def test_arrival_interface_is_no_question() -> None:
    """The program is that of one interface: the resolver has answered already."""
    assert questions(Match(interfaces=("p1",)), NO_SIDE, NO_SIDE) == ((), Field(0))


def test_networks_in_line() -> None:
    inline = Side(inline=(net("10.1.0.0/16"), net("0.0.0.0/0")))
    asked, used = questions(Match(), inline, NO_SIDE)
    assert asked == ("ANY(SOURCE_NET4(0xa010000, 0xffff0000) SOURCE_NET4(0x0, 0x0))",)
    assert used & SOURCE == SOURCE


def test_ipv6_network_in_line() -> None:
    prefix = Prefix(bytes.fromhex("20010db8") + bytes(12), 33)
    asked, _ = questions(Match(), NO_SIDE, Side(inline=(prefix,)))
    words = "0x20010db8, 0xffffffff, 0x0, 0x80000000, 0x0, 0x0, 0x0, 0x0"
    assert asked == (f"ANY(DESTINATION_NET6({words}))",)


def test_long_lists_ask_the_index() -> None:
    asked, used = questions(Match(), Side(list_bit=3), Side(list_bit=65))
    assert set(asked) == {"ANY(SOURCE_LIST(0, 3))", "ANY(DESTINATION_LIST(1, 1))"}
    assert used & (SOURCE | DESTINATION) == SOURCE | DESTINATION


def test_local_addresses_are_sorted() -> None:
    six = bytes.fromhex("fe800000000000000000000000000001")
    assert local_addresses([six, b"\n\0\0\2", b"\n\0\0\1"]) == (
        "LOCAL4(0xa000001) LOCAL4(0xa000002) LOCAL6(0xfe800000, 0x0, 0x0, 0x1)"
    )
