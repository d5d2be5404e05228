"""Content of the address index: for each prefix, the lists and table targets of its addresses.

An LPM trie answers with the longest prefix only, so each entry holds what all prefixes around it
say as well: list bits are ORed, and a table takes the target of its longest prefix. Called by
`datapath.layout`; the C side is bpf/addresses.h.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from xdpredirect.api.match import Prefix
from xdpredirect.datapath.abi import align8, lpm_key


@dataclass(frozen=True, slots=True)
class IndexShape:
    """Sizes that the program is compiled with."""

    lists: int
    tables: int

    @property
    def words(self) -> int:
        """64-bit words of list bits, at least one."""
        return max(1, -(-self.lists // 64))

    @property
    def entry_size(self) -> int:
        """Octets of struct address_entry."""
        return align8(8 * self.words + 4 * max(1, self.tables))


Entries = Mapping[bytes, bytes]


def build_index(
    shape: IndexShape,
    lists: Sequence[Sequence[Prefix]],
    tables: Sequence[Mapping[Prefix, int]],
) -> tuple[Entries, Entries]:
    """Entries of the IPv4 and the IPv6 trie: LPM key -> struct address_entry.

    `tables` map prefixes to targets (device index or CPU). The same question gets the same objects
    for an answer, by which a plan sees at once that nothing changed.
    """
    sorted_tables = tuple(tuple(sorted(table.items())) for table in tables)
    return _build(shape, tuple(tuple(prefixes) for prefixes in lists), sorted_tables)


@lru_cache(maxsize=4)
def _build(
    shape: IndexShape,
    lists: tuple[tuple[Prefix, ...], ...],
    tables: tuple[tuple[tuple[Prefix, int], ...], ...],
) -> tuple[Entries, Entries]:
    bits: dict[Prefix, int] = {}
    for number, prefixes in enumerate(lists):
        mask = 1 << number
        for prefix in prefixes:
            bits[prefix] = bits.get(prefix, 0) | mask
    targets: dict[Prefix, dict[int, int]] = {}
    for number, table in enumerate(tables):
        for prefix, target in table:
            targets.setdefault(prefix, {})[number] = target + 1
            bits.setdefault(prefix, 0)
    four = sorted(prefix for prefix in bits if len(prefix[0]) == 4)
    six = sorted(prefix for prefix in bits if len(prefix[0]) == 16)
    return _trie(shape, four, bits, targets), _trie(shape, six, bits, targets)


def _trie(
    shape: IndexShape,
    prefixes: Sequence[Prefix],
    own: Mapping[Prefix, int],
    targets: Mapping[Prefix, Mapping[int, int]],
) -> Entries:
    """Sorted by address, then length, every prefix follows those that enclose it."""
    entries: dict[bytes, bytes] = {}
    packed: dict[tuple[int, tuple[tuple[int, int], ...]], bytes] = {}
    # Last address, list bits and table targets of the prefixes around the present one.
    around: list[tuple[int, int, dict[int, int]]] = []
    nothing: dict[int, int] = {}
    width = 8 * len(prefixes[0].address) if prefixes else 0
    for prefix in prefixes:
        address, length = prefix
        first = int.from_bytes(address)
        while around and around[-1][0] < first:
            around.pop()
        bits = own[prefix]
        found = targets.get(prefix, nothing)
        if around:
            bits |= around[-1][1]
            found = {**around[-1][2], **found}
        if length < width:
            around.append((first | (1 << width - length) - 1, bits, dict(found)))
        what = bits, tuple(sorted(found.items()))
        if what not in packed:
            packed[what] = _pack(shape, bits, found)
        entries[lpm_key(prefix)] = packed[what]
    return entries


def _pack(shape: IndexShape, bits: int, targets: Mapping[int, int]) -> bytes:
    words = [bits >> 64 * word & 0xFFFFFFFFFFFFFFFF for word in range(shape.words)]
    slots = [targets.get(number, 0) for number in range(max(1, shape.tables))]
    return struct.pack(f"={shape.words}Q{len(slots)}I", *words, *slots).ljust(
        shape.entry_size, b"\0"
    )
