"""Messages that this machine's kernel may not be able to send: VLAN devices, offloaded programs."""

import struct

import pytest

from xdpredirect.errors import KernelError
from xdpredirect.host import XdpMode
from xdpredirect.kernel import links
from xdpredirect.kernel.netlink import attribute, attribute_list, attributes, split, text


def link_message(*more: bytes, flags: int = 0x1) -> memoryview:
    header = struct.pack("=BxHiII", 0, 1, 7, flags, 0)
    return memoryview(header + attribute(3, b"eth1.40\0") + b"".join(more))


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def test_a_vlan_device() -> None:
    data = attribute(1, struct.pack("=H", 40)) + attribute(5, struct.pack(">H", 0x88A8))
    info = attribute(1, b"vlan\0") + attribute(2 | 0x8000, data)
    link = links.parse_link(link_message(attribute(18 | 0x8000, info), u32(5, 2)), {})
    assert (link.kind, link.vlan_id, link.vlan_protocol) == ("vlan", 40, 0x88A8)
    assert (link.lower, link.lower_here, link.name, link.ifindex) == (2, True, "eth1.40", 7)


def test_its_lower_device_in_another_namespace() -> None:
    link = links.parse_link(link_message(u32(5, 2), u32(37, 0)), {})
    assert (link.lower, link.lower_here) == (2, False)


def test_a_member_of_a_bond() -> None:
    link = links.parse_link(link_message(u32(10, 9), flags=0x10001), {7: [b"\2", b"\1"]})
    assert (link.master, link.up, link.carrier) == (9, True, True)
    assert link.addresses == (b"\1", b"\2")


@pytest.mark.parametrize(
    ("state", "ids", "expected"),
    [
        (0, {}, (XdpMode.NONE, 0)),
        (1, {4: 11, 5: 11}, (XdpMode.NATIVE, 11)),
        (2, {4: 12, 6: 12}, (XdpMode.GENERIC, 12)),
        (3, {4: 13, 7: 13}, (XdpMode.OFFLOAD, 13)),
        (4, {5: 11, 6: 12}, (XdpMode.NATIVE, 11)),
    ],
)
def test_program_and_mode(state: int, ids: dict[int, int], expected: tuple[XdpMode, int]) -> None:
    nested = attribute(2, bytes([state])) + b"".join(u32(k, v) for k, v in ids.items())
    link = links.parse_link(link_message(attribute(43 | 0x8000, nested)), {})
    assert (link.xdp_mode, link.xdp_prog_id) == expected


def test_what_is_absent_has_its_default() -> None:
    link = links.parse_link(link_message(), {})
    assert (link.kind, link.lower, link.master, link.promiscuity) == ("", 0, 0, 0)
    assert (link.rx_channels, link.tx_channels, link.alt_names) == (1, 1, ())


def test_attributes_keep_order_and_padding() -> None:
    data = memoryview(b"head" + attribute(1, b"a") + attribute(2 | 0x8000, b"bcde") + u32(1, 9))
    assert [(k, bytes(v)) for k, v in attribute_list(data, 4)] == [
        (1, b"a"),
        (2, b"bcde"),
        (1, struct.pack("=I", 9)),
    ]
    assert bytes(attributes(data, 4)[2]) == b"bcde"
    assert text(memoryview(b"name\0\0\0")) == "name"


@pytest.mark.parametrize("length", [0, 3, 200])
def test_a_damaged_attribute_is_an_error(length: int) -> None:
    with pytest.raises(KernelError, match="EBADMSG"):
        attributes(memoryview(struct.pack("=HHI", length, 1, 0)))


@pytest.mark.parametrize("length", [0, 15, 200])
def test_a_damaged_message_is_an_error(length: int) -> None:
    with pytest.raises(KernelError, match="EBADMSG"):
        list(split(memoryview(struct.pack("=IHHII", length, 16, 0, 1, 0))))


def test_two_messages_in_one_datagram() -> None:
    first = struct.pack("=IHHII", 18, 16, 2, 5, 0) + b"ab\0\0"
    second = struct.pack("=IHHII", 16, 3, 0, 6, 0)
    found = [
        (m.type, bytes(m.body), flags, seq) for m, flags, seq in split(memoryview(first + second))
    ]
    assert found == [(16, b"ab", 2, 5), (3, b"", 0, 6)]
