"""Both sides of what crosses between programs and user space say the same: the C headers are read
as text, laid out by the rules of the C ABI, and held against the packing in Python."""

import ctypes
import re
import struct
from typing import Any

import pytest

from xdpredirect.api.action import Rewrite, VlanOperation, VlanRewrite
from xdpredirect.api.match import Prefix
from xdpredirect.data import data_dir
from xdpredirect.datapath import abi
from xdpredirect.datapath.addressindex import IndexShape, build_index
from xdpredirect.datapath.builder import COUNTERS, MAP_NUMBER_BASE
from xdpredirect.datapath.fields import Field
from xdpredirect.host import Link
from xdpredirect.kernel import compile as compiling
from xdpredirect.kernel import tracer

TYPES = {
    "__u8": ctypes.c_uint8,
    "__u16": ctypes.c_uint16,
    "__u32": ctypes.c_uint32,
    "__u64": ctypes.c_uint64,
}


def text(name: str) -> str:
    return re.sub(r"/\*.*?\*/", "", (data_dir("bpf") / name).read_text(), flags=re.DOTALL)


def structures(name: str, **sizes: int) -> dict[str, type[ctypes.Structure]]:
    """Structures of a header as ctypes, which lays them out as the C compiler does."""
    found: dict[str, type[ctypes.Structure]] = {}
    for struct_name, body in re.findall(r"struct (\w+) \{(.*?)\};", text(name), re.DOTALL):
        fields: list[tuple[str, Any]] = []
        for kind, field, length in re.findall(r"(\w+) (\w+)(?:\[(\w+)\])?;", body):
            octets: Any = TYPES.get(kind) or found[kind]
            if length:
                octets = octets * int(sizes.get(length, 0) or length)
            fields.append((field, octets))
        found[struct_name] = type(struct_name, (ctypes.Structure,), {"_fields_": fields})
    return found


def constants(name: str) -> dict[str, int]:
    return {
        key: int(value, 0)
        for key, value in re.findall(r"\b([A-Z][A-Z0-9_]+) = (0x[0-9a-f]+|\d+)\b", text(name))
    }


C = structures("abi.h")
NUMBERS = constants("abi.h")


def test_header_is_read_whole() -> None:
    assert set(C) == {
        *("counter", "rewrite", "egress_key", "lpm4_key", "lpm6_key", "upper_key", "lower"),
        *("loss_key", "loss_slot"),
    }
    assert len(re.findall(r"struct \w+ \{", text("abi.h"))) == len(C)


@pytest.mark.parametrize(
    ("name", "packing", "fields"),
    [
        ("counter", abi.COUNTER, "packets octets misses errors"),
        ("rewrite", abi.REWRITE, "destination source vid flags"),
        ("egress_key", abi.PAIR, "ingress egress"),
        ("upper_key", abi.PAIR, "port vid"),
        ("lower", abi.PAIR, "port vid"),
        ("loss_key", tracer.KEY, "event program map index from to error"),
    ],
)
def test_structure(name: str, packing: struct.Struct, fields: str) -> None:
    """Same size, same order, same offsets: each field alone is found where C puts it."""
    assert ctypes.sizeof(C[name]) == packing.size
    names = fields.split()
    assert [entry[0] for entry in C[name]._fields_] == names
    zeros = packing.unpack(bytes(packing.size))
    for position, field in enumerate(names):
        octets = bytearray(packing.size)
        descriptor = getattr(C[name], field)
        octets[descriptor.offset : descriptor.offset + descriptor.size] = b"\1" * descriptor.size
        unpacked = packing.unpack(bytes(octets))
        assert [i for i, value in enumerate(unpacked) if value != zeros[i]] == [position]


def test_a_slot_of_losses_is_a_count_and_its_key() -> None:
    key = bytes(range(tracer.KEY.size))
    slot = C["loss_slot"](packets=7, key=C["loss_key"].from_buffer_copy(key))
    assert tracer.SLOT.unpack(bytes(slot)) == (7, *tracer.KEY.unpack(key))


@pytest.mark.parametrize(("name", "octets"), [("lpm4_key", 4), ("lpm6_key", 16)])
def test_lpm_key(name: str, octets: int) -> None:
    address = bytes(range(1, octets + 1))
    key = C[name].from_buffer_copy(abi.lpm_key(Prefix(address, 8 * octets)))
    assert ctypes.sizeof(C[name]) == len(bytes(key)) == 4 + octets
    assert key.length == 8 * octets
    assert bytes(key.address) == address


def test_rewrite_fields_reach_c() -> None:
    wish = Rewrite(
        destination_mac=b"\1\2\3\4\5\6",
        source_mac=b"\6\5\4\3\2\1",
        vlan=VlanRewrite(operation=VlanOperation.REPLACE, id=300),
    )
    there = C["rewrite"].from_buffer_copy(abi.pack_rewrite(wish, bytes(6)))
    assert bytes(there.destination) == b"\1\2\3\4\5\6"
    assert bytes(there.source) == b"\6\5\4\3\2\1"
    assert there.vid == 300
    assert there.flags == 1 | 2 | 32


@pytest.mark.parametrize(
    ("rewrite", "flags"),
    [
        (None, 0),
        (Rewrite(destination_mac=b"\1" * 6), 1 | 2),  # the device's own address as source
        (Rewrite(source_mac=b"\1" * 6), 2),
        (Rewrite(swap_macs=True), 4),
        (Rewrite(vlan=VlanRewrite(operation=VlanOperation.PUSH, id=1)), 8),
        (Rewrite(vlan=VlanRewrite(operation=VlanOperation.POP)), 16),
    ],
)
def test_rewrite_flags(rewrite: Rewrite | None, flags: int) -> None:
    mac = Link(ifindex=1, name="p", mac=b"\2" * 6).mac
    assert abi.REWRITE.unpack(abi.pack_rewrite(rewrite, mac))[3] == flags


def test_enumerations() -> None:
    slots = {key.removeprefix("SLOT_"): n for key, n in NUMBERS.items() if key.startswith("SLOT_")}
    assert slots.pop("FIRST_RULE") == abi.FIRST_RULE_SLOT
    assert slots == {slot.name: slot.value for slot in abi.Slot}
    events = {name: int(n) for name, n in re.findall(r"EVENT_(\w+) = (\d+)", text("abi.h"))}
    assert events == {event.name: event.value for event in abi.Event}
    flags = {k.removeprefix("REWRITE_"): n for k, n in NUMBERS.items() if k.startswith("REWRITE_")}
    assert flags == {flag.name: flag.value for flag in abi.RewriteFlag}


def test_fields() -> None:
    there = {
        key.removeprefix("FIELD_"): number
        for key, number in constants("packet.h").items()
        if key.startswith("FIELD_") and number
    }
    assert there == {field.name: field.value for field in Field}


def test_counters_have_room_for_two_generations() -> None:
    assert COUNTERS.value_size == abi.COUNTER.size
    assert COUNTERS.max_entries == abi.COUNTER_SLOTS >= abi.FIRST_RULE_SLOT + 2 * 128


def test_map_numbers_have_one_base() -> None:
    assert MAP_NUMBER_BASE == compiling.MAP_NUMBER_BASE


@pytest.mark.parametrize(("lists", "tables"), [(0, 1), (1, 0), (1, 3), (64, 1), (65, 2), (130, 5)])
def test_address_entry(lists: int, tables: int) -> None:
    """struct address_entry for the sizes that the program is compiled with."""
    shape = IndexShape(lists, tables)
    header = text("addresses.h").split("#else")[0]
    assert "struct address_entry {" in header
    body = re.search(r"struct address_entry \{(.*?)\};", header, re.DOTALL)
    assert body is not None
    sizes = {"LIST_WORDS": shape.words, "TABLES": max(1, tables)}
    fields = [
        (name, TYPES[kind] * sizes[length])
        for kind, name, length in re.findall(r"(\w+) (\w+)\[(\w+)\];", body[1])
    ]
    entry: Any = type("address_entry", (ctypes.Structure,), {"_fields_": fields})
    assert ctypes.sizeof(entry) == shape.entry_size
    prefix = Prefix(bytes(4), 0)
    four, six = build_index(shape, [[prefix]] * lists, [{prefix: 7 + n} for n in range(tables)])
    assert not six
    there = entry.from_buffer_copy(four[abi.lpm_key(prefix)])
    bits = sum(word << 64 * i for i, word in enumerate(there.lists))
    assert bits == (1 << lists) - 1
    assert list(there.tables)[:tables] == [8 + n for n in range(tables)]


def test_local_key_is_address_then_family() -> None:
    assert abi.local_key(b"\n\0\0\1") == b"\n\0\0\1" + bytes(12) + struct.pack("=I", 4)
    assert abi.local_key(bytes(range(16))) == bytes(range(16)) + struct.pack("=I", 6)
