"""The rings of an AF_XDP socket in memory shared with the kernel. Called by `client`.

Each is written at one end by this process and at the other by the kernel. Indexes are read and
written as whole machine words, which `struct` in its standard sizes does not do.
"""

import mmap
import socket
from collections.abc import Iterable
from typing import Self

from xdpredirect.xsk import uapi
from xdpredirect.xsk.uapi import RingOffsets

_MASK = 0xFFFFFFFF
"""Indexes run over 2^32; the place in the ring is their lower bits."""


class _Ring:
    """`entries` descriptors of `octets` each; `page` is the offset for mmap()."""

    def __init__(
        self, xsk: socket.socket, page: int, offsets: RingOffsets, entries: int, octets: int
    ) -> None:
        self._memory = mmap.mmap(xsk.fileno(), offsets.descriptors + entries * octets, offset=page)
        whole = memoryview(self._memory)
        self._words = whole.cast("I")
        self._descriptors = whole[offsets.descriptors :].cast("Q")
        whole.release()
        self._producer, self._consumer = offsets.producer // 4, offsets.consumer // 4
        self._flags = offsets.flags // 4
        self.entries = entries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """A mapping that stays keeps the socket in its XSKMAP."""
        self._descriptors.release()
        self._words.release()
        self._memory.close()

    def needs_wakeup(self) -> bool:
        """Whether the kernel goes on only after poll()."""
        return bool(self._words[self._flags] & uapi.RING_NEED_WAKEUP)

    def _filled(self) -> int:
        return (self._words[self._producer] - self._words[self._consumer]) & _MASK


class ReceiveRing(_Ring):
    """Frames that the kernel has written into the UMEM."""

    def __init__(self, xsk: socket.socket, offsets: RingOffsets, entries: int) -> None:
        super().__init__(xsk, uapi.PAGE_RX, offsets, entries, uapi.DESCRIPTOR_OCTETS)

    def take(self, most: int) -> list[tuple[int, int, bool]]:
        """Address in the UMEM and octets of up to `most` pieces of frames, and whether the next
        one is of the same frame. The ring has room for as many from then on."""
        count = min(self._filled(), most)
        start = self._words[self._consumer]
        places = (((start + n) & (self.entries - 1)) * 2 for n in range(count))
        found = []
        for place in places:
            # Octets in the lower half, options in the upper one.
            octets = self._descriptors[place + 1]
            more = bool(octets >> 32 & uapi.PACKET_CONTINUES)
            found.append((self._descriptors[place], octets & _MASK, more))
        self._words[self._consumer] = (start + count) & _MASK
        return found


class TransmitRing(_Ring):
    """Frames for the kernel to send."""

    def __init__(self, xsk: socket.socket, offsets: RingOffsets, entries: int) -> None:
        super().__init__(xsk, uapi.PAGE_TX, offsets, entries, uapi.DESCRIPTOR_OCTETS)

    def put(self, address: int, octets: int) -> None:
        """One frame. As many as there are UMEM frames fit at any time."""
        start = self._words[self._producer]
        place = (start & (self.entries - 1)) * 2
        self._descriptors[place], self._descriptors[place + 1] = address, octets
        self._words[self._producer] = (start + 1) & _MASK


class FillRing(_Ring):
    """UMEM frames that the kernel may write into."""

    def __init__(self, xsk: socket.socket, offsets: RingOffsets, entries: int) -> None:
        super().__init__(xsk, uapi.PAGE_FILL, offsets, entries, uapi.FRAME_ADDRESS_OCTETS)

    def put(self, addresses: Iterable[int]) -> None:
        """These belong to the kernel from now on. As many as there are UMEM frames fit."""
        start = self._words[self._producer]
        for address in addresses:
            self._descriptors[start & (self.entries - 1)] = address
            start = (start + 1) & _MASK
        self._words[self._producer] = start


class CompletionRing(_Ring):
    """UMEM frames that the kernel has sent."""

    def __init__(self, xsk: socket.socket, offsets: RingOffsets, entries: int) -> None:
        super().__init__(xsk, uapi.PAGE_COMPLETION, offsets, entries, uapi.FRAME_ADDRESS_OCTETS)

    def take(self) -> list[int]:
        """Their addresses."""
        count = self._filled()
        start = self._words[self._consumer]
        found = [self._descriptors[(start + n) & (self.entries - 1)] for n in range(count)]
        self._words[self._consumer] = (start + count) & _MASK
        return found
