"""Content of the address index: for each prefix, the lists and table targets of its addresses.

An LPM trie answers with the longest prefix only, so each entry holds what all prefixes around it
say as well: list bits are ORed, and a table takes the target of its longest prefix. Called by
`datapath.layout`; the C side is bpf/addresses.h.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


def build_index(
    shape: IndexShape,
    lists: Sequence[Sequence[Prefix]],
    tables: Sequence[Mapping[Prefix, int]],
) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Entries of the IPv4 and the IPv6 trie: LPM key -> struct address_entry.

    `tables` map prefixes to targets (device index or CPU).
    """
    own: dict[Prefix, tuple[int, dict[int, int]]] = {}
    for bit, prefixes in enumerate(lists):
        mask = 1 << bit
        for prefix in prefixes:
            bits, targets = own.get(prefix, (0, {}))
            own[prefix] = (bits | mask, targets)
    for number, table in enumerate(tables):
        for prefix, target in table.items():
            bits, targets = own.get(prefix, (0, {}))
            own[prefix] = (bits, {**targets, number: target + 1})
    tries: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
    stack: list[tuple[Prefix, int, dict[int, int]]] = []
    packed: dict[tuple[int, tuple[tuple[int, int], ...]], bytes] = {}
    # Sorted by address, then length, every prefix follows those that enclose it.
    for prefix in sorted(own, key=lambda p: (len(p.address), p)):
        bits, targets = own[prefix]
        while stack and not _encloses(stack[-1][0], prefix):
            stack.pop()
        if stack:
            bits |= stack[-1][1]
            targets = {**stack[-1][2], **targets}
        stack.append((prefix, bits, targets))
        what = (bits, tuple(sorted(targets.items())))
        if what not in packed:
            packed[what] = _pack(shape, bits, targets)
        tries[len(prefix.address) == 16][lpm_key(prefix)] = packed[what]
    return tries


def _encloses(outer: Prefix, inner: Prefix) -> bool:
    if len(outer.address) != len(inner.address) or outer.length > inner.length:
        return False
    whole, rest = divmod(outer.length, 8)
    if outer.address[:whole] != inner.address[:whole]:
        return False
    return not rest or not (outer.address[whole] ^ inner.address[whole]) >> (8 - rest)


def _pack(shape: IndexShape, bits: int, targets: Mapping[int, int]) -> bytes:
    words = [bits >> 64 * word & 0xFFFFFFFFFFFFFFFF for word in range(shape.words)]
    slots = [targets.get(number, 0) for number in range(max(1, shape.tables))]
    return struct.pack(f"={shape.words}Q{len(slots)}I", *words, *slots).ljust(
        shape.entry_size, b"\0"
    )
