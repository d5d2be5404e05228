"""The address index: the answer of its longest prefix is what every list and table, asked one by
one, would have said of the address."""

import struct
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from xdpredirect.api.match import Prefix
from xdpredirect.datapath.addressindex import IndexShape, build_index


@st.composite
def prefixes(draw: st.DrawFn, octets: int) -> Prefix:
    """Few different bits, so that prefixes nest often."""
    bits = 8 * octets
    length = draw(st.sampled_from((0, 1, 7, 8, 9, 15, 16, 17, 24, 31, bits - 1, bits)))
    pattern = draw(st.sampled_from((0x00, 0x80, 0xC0, 0xFF, 0x55, 0x40)))
    value = int.from_bytes(bytes([pattern]) * octets) ^ draw(st.integers(0, 3)) << (bits - 10)
    masked = value >> (bits - length) << (bits - length) if length else 0
    return Prefix(masked.to_bytes(octets), length)


PREFIX = st.one_of(prefixes(4), prefixes(16))
LISTS = st.lists(st.lists(PREFIX, max_size=8), max_size=4)
TABLES = st.lists(st.dictionaries(PREFIX, st.integers(0, 500), max_size=8), max_size=3)


def covers(prefix: Prefix, address: bytes) -> bool:
    bits = 8 * len(address)
    if len(prefix.address) != len(address):
        return False
    shift = bits - prefix.length
    return int.from_bytes(prefix.address) >> shift == int.from_bytes(address) >> shift


def lookup(trie: Mapping[bytes, bytes], address: bytes) -> bytes | None:
    """Longest prefix match over LPM keys, as BPF_MAP_TYPE_LPM_TRIE answers."""
    best = None
    for key, value in trie.items():
        (length,) = struct.unpack_from("=I", key)
        if covers(Prefix(key[4:], length), address) and (best is None or length > best[0]):
            best = (length, value)
    return best[1] if best else None


@settings(max_examples=250)
@given(LISTS, TABLES, st.data())
def test_index_answers_as_each_list_and_table_would(
    lists: list[list[Prefix]], tables: list[dict[Prefix, int]], data: st.DataObject
) -> None:
    shape = IndexShape(len(lists), len(tables))
    tries = build_index(shape, lists, tables)
    known = [p for group in (*lists, *tables) for p in group]
    for octets in (4, 16):
        trie = tries[octets == 16]
        assert all(len(key) == 4 + octets and len(v) == shape.entry_size for key, v in trie.items())
        probes = [p.address for p in known if len(p.address) == octets]
        probes += data.draw(st.lists(st.binary(min_size=octets, max_size=octets), max_size=5))
        for address in probes:
            found = lookup(trie, address) or bytes(shape.entry_size)
            words = struct.unpack_from(f"={shape.words}Q", found)
            bits = sum(word << 64 * i for i, word in enumerate(words))
            for bit, members in enumerate(lists):
                assert bits >> bit & 1 == any(covers(p, address) for p in members)
            targets = struct.unpack_from(f"={len(tables)}I", found, 8 * shape.words)
            for number, table in enumerate(tables):
                best = max((p for p in table if covers(p, address)), key=_length, default=None)
                assert targets[number] == (0 if best is None else table[best] + 1)


def _length(prefix: Prefix) -> int:
    return prefix.length


@settings(max_examples=50)
@given(LISTS, TABLES)
def test_only_given_prefixes_are_keys(
    lists: list[list[Prefix]], tables: list[dict[Prefix, int]]
) -> None:
    """An entry for each prefix and no more: a change of a set touches only what differs."""
    four, six = build_index(IndexShape(len(lists), len(tables)), lists, tables)
    assert len(four) + len(six) == len({p for group in (*lists, *tables) for p in group})


def test_seventy_lists_take_two_words() -> None:
    prefix = Prefix(b"\n\0\0\0", 8)
    shape = IndexShape(70, 0)
    four, _ = build_index(shape, [[]] * 69 + [[prefix]], [])
    assert struct.unpack_from("=2Q", next(iter(four.values()))) == (0, 1 << 5)
