"""Numbers and structures of AF_XDP: include/uapi/linux/if_xdp.h. Used by broker and client."""

import struct
from typing import NamedTuple

AF_XDP, SOL_XDP = 44, 283

MMAP_OFFSETS, RX_RING, TX_RING, UMEM_REG = 1, 2, 3, 4
FILL_RING, COMPLETION_RING, STATISTICS, OPTIONS = 5, 6, 7, 8
"""Options of SOL_XDP."""

COPY, ZERO_COPY, NEED_WAKEUP, USE_SG = 1 << 1, 1 << 2, 1 << 3, 1 << 4
"""Flags of bind()."""
OPTION_ZERO_COPY = 1 << 0
RING_NEED_WAKEUP = 1 << 0
PACKET_CONTINUES = 1 << 0
"""Of the options of a descriptor: the next one has more of the frame."""

PAGE_RX, PAGE_TX = 0, 0x80000000
PAGE_FILL, PAGE_COMPLETION = 0x100000000, 0x180000000
"""Offsets for mmap()."""

UMEM = struct.Struct("=QQIIII")
"""xdp_umem_reg: address, length, octets of a frame, headroom, flags, length of TX metadata."""
ADDRESS = struct.Struct("=HHIII")
"""sockaddr_xdp: family, flags, ifindex, queue, descriptor of a socket to share a UMEM with."""
ENTRIES = struct.Struct("=I")
_OFFSETS = struct.Struct("=16Q")
_STATISTICS = struct.Struct("=6Q")
OFFSETS_OCTETS, STATISTICS_OCTETS = _OFFSETS.size, _STATISTICS.size
DESCRIPTOR_OCTETS, FRAME_ADDRESS_OCTETS = 16, 8
"""An entry of the rx and tx rings, and one of the fill and completion rings."""

SO_TYPE, SO_DOMAIN, SO_COOKIE, SO_NETNS_COOKIE, SO_PEERPIDFD = 3, 39, 57, 71, 77
SO_BUSY_POLL, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET = 46, 69, 70
"""Of SOL_SOCKET; the standard library names the first alone."""


class RingOffsets(NamedTuple):
    """Where in the mapping of one ring its parts begin, in octets."""

    producer: int
    consumer: int
    descriptors: int
    flags: int


class Offsets(NamedTuple):
    """xdp_mmap_offsets."""

    rx: RingOffsets
    tx: RingOffsets
    fill: RingOffsets
    completion: RingOffsets


class Statistics(NamedTuple):
    """xdp_statistics: frames since the socket was made.

    `rx_dropped` are those that the methods tell apart, `rx_invalid_descs` and
    `tx_invalid_descs` the client's mistakes; `tx_ring_empty_descs`: nothing was lost but time.
    """

    rx_dropped: int
    rx_invalid_descs: int
    tx_invalid_descs: int
    rx_ring_full: int
    rx_fill_ring_empty_descs: int
    tx_ring_empty_descs: int

    def for_want_of_memory(self, zero_copy: bool, multi_buffer: bool) -> int:
        """Frames for which the fill ring had too little; in zero-copy mode, attempts to look.

        Where a frame may take several buffers, a ring that has some, but too few, is not counted
        as empty (net/xdp/xsk_buff_pool.c, xp_can_alloc). But then nothing else is in rx_dropped.
        """
        counted_as_dropped = multi_buffer and not zero_copy
        return self.rx_dropped if counted_as_dropped else self.rx_fill_ring_empty_descs

    def dropped_otherwise(self, zero_copy: bool, multi_buffer: bool) -> int:
        """Frames lost neither for a full ring nor for want of a buffer. In copy mode the kernel
        counts the latter in rx_dropped as well (net/xdp/xsk.c, __xsk_rcv)."""
        memory = 0 if zero_copy else self.for_want_of_memory(zero_copy, multi_buffer)
        return max(0, self.rx_dropped - memory)


def offsets(raw: bytes) -> Offsets:
    """From what getsockopt gave for MMAP_OFFSETS."""
    numbers = _OFFSETS.unpack(raw)
    return Offsets(*(RingOffsets(*numbers[start : start + 4]) for start in (0, 4, 8, 12)))


def statistics_of(raw: bytes) -> Statistics:
    """From what getsockopt gave for STATISTICS."""
    return Statistics(*_STATISTICS.unpack(raw))
