"""Addresses, networks, MAC addresses and ranges as text."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdpredirect.api.addresses import (
    masked,
    parse_address,
    parse_cidr,
    parse_mac,
    parse_network,
    parse_ranges,
)
from xdpredirect.api.match import Prefix, Range


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("192.0.2.1", b"\xc0\0\x02\x01"),
        ("0.0.0.0", bytes(4)),
        ("::", bytes(16)),
        ("2001:DB8::1", bytes.fromhex("20010db8000000000000000000000001")),
        ("::192.0.2.1", bytes(12) + b"\xc0\0\x02\x01"),
    ],
)
def test_addresses(text: str, octets: bytes) -> None:
    assert parse_address(text) == octets


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0",
        "10.0.0.256",
        "010.0.0.0",
        "10.0.0.1 ",
        "10.0.0.1\n",
        "10.0.0.1\0",
        "0x0a.0.0.1",
        "١٠.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a00:1",
        "fe80::1%eth0",
        "1:2:3:4:5:6:7:8::",
        "1::2::3",
        "::g",
        "[::1]",
        "\ud800",
    ],
)
def test_no_addresses(text: str) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/08",
        "10.0.0.0/+8",
        "10.0.0.0/8/8",
        "10.0.0.0/-1",
        "10.0.0.0/8 ",
        "::/129",
        "::ffff:10.0.0.0/104",
        "/8",
        "10.0.0.0/٨",
    ],
)
def test_no_networks(text: str) -> None:
    assert parse_cidr(text) is None


def test_host_bits() -> None:
    assert parse_cidr("10.0.0.1/8") == Prefix(b"\x0a\0\0\x01", 8)
    assert parse_network("10.0.0.1/8", bare=True) is None
    assert parse_network("10.0.0.1/8", bare=False) is None
    assert masked(Prefix(b"\x0a\0\0\x01", 8)) == Prefix(b"\x0a\0\0\0", 8)


def test_an_address_is_a_network_only_where_it_is_asked_for() -> None:
    assert parse_network("192.0.2.1", bare=True) == Prefix(b"\xc0\0\x02\x01", 32)
    assert parse_network("::1", bare=True) == Prefix(bytes(15) + b"\x01", 128)
    assert parse_network("192.0.2.1", bare=False) is None


@given(st.ip_addresses(), st.integers(0, 128))
def test_networks_agree_with_the_standard_library(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, length: int
) -> None:
    length = min(length, address.max_prefixlen)
    network = ipaddress.ip_network((address, length), strict=False)
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    found = parse_cidr(f"{address}/{length}")
    if mapped:
        assert found is None
        return
    assert found == Prefix(address.packed, length)
    assert masked(found) == Prefix(network.network_address.packed, length)
    expected = found if network.network_address == address else None
    assert parse_network(f"{address}/{length}", bare=False) == expected


def test_mac_addresses() -> None:
    assert parse_mac("02:00:5E:00:53:aF") == bytes.fromhex("02005e0053af")
    for text in ("", "02-00-5e-00-53-af", "02005e0053af", "2:0:5e:0:53:af", "02:00:5e:00:53:af\n"):
        assert parse_mac(text) is None


def test_ranges() -> None:
    assert parse_ranges("8,0-3,5") == (Range(8, 8), Range(0, 3), Range(5, 5))
    assert parse_ranges("5-2") == (Range(5, 2),)
    for text in ("", "1,", ",1", "01", "1 ,2", "1-", "-1", "1-2-3", "10000", "a", "1\n", "١"):
        assert parse_ranges(text) is None
