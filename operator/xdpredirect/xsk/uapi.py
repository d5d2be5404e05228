"""Numbers and structures of AF_XDP: include/uapi/linux/if_xdp.h. Used by broker and client."""

import struct
from typing import NamedTuple

AF_XDP, SOL_XDP = 44, 283

MMAP_OFFSETS, RX_RING, TX_RING, UMEM_REG = 1, 2, 3, 4
FILL_RING, COMPLETION_RING, STATISTICS, OPTIONS = 5, 6, 7, 8
"""Options of SOL_XDP."""

COPY, ZERO_COPY, NEED_WAKEUP = 1 << 1, 1 << 2, 1 << 3
"""Flags of bind()."""
OPTION_ZERO_COPY = 1 << 0
RING_NEED_WAKEUP = 1 << 0

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

    `rx_dropped` are those that `dropped_otherwise` tells apart, `rx_invalid_descs` and
    `tx_invalid_descs` the client's mistakes; `tx_ring_empty_descs`: nothing was lost but time.
    """

    rx_dropped: int
    rx_invalid_descs: int
    tx_invalid_descs: int
    rx_ring_full: int
    rx_fill_ring_empty_descs: int
    tx_ring_empty_descs: int

    def dropped_otherwise(self, zero_copy: bool) -> int:
        """Frames lost neither for a full ring nor for want of a buffer. In copy mode the kernel
        counts the latter in rx_dropped as well (net/xdp/xsk.c, __xsk_rcv)."""
        return max(0, self.rx_dropped - (0 if zero_copy else self.rx_fill_ring_empty_descs))


def offsets(raw: bytes) -> Offsets:
    """From what getsockopt gave for MMAP_OFFSETS."""
    numbers = _OFFSETS.unpack(raw)
    return Offsets(*(RingOffsets(*numbers[start : start + 4]) for start in (0, 4, 8, 12)))


def statistics_of(raw: bytes) -> Statistics:
    """From what getsockopt gave for STATISTICS."""
    return Statistics(*_STATISTICS.unpack(raw))
