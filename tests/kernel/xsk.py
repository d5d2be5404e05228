"""An AF_XDP socket in copy mode, without a library: rings are memory that the kernel shares.

Used by test_losses_sockets.py and test_actions_sockets*.py. Layout: include/uapi/linux/if_xdp.h.
"""

import ctypes
import mmap
import os
import socket
import struct
from collections.abc import Sequence

from tests.kernel.lab import Port

AF_XDP, SOL_XDP = 44, 283
_MMAP_OFFSETS, _RX_RING, _UMEM_REG, _FILL_RING, _COMPLETION_RING = 1, 2, 4, 5, 6
_FILL_PAGE_OFFSET = 0x100000000
_COPY = 2
# Producer, consumer, descriptors and flags of the rings rx, tx, fill, completion.
_OFFSETS = struct.Struct("=16Q")
_FILL = 8
_DESCRIPTOR = struct.Struct("=QII")
CHUNK, CHUNKS = 2048, 2048
_libc = ctypes.CDLL(None, use_errno=True)


class XdpSocket:
    """A socket with a receive ring of `ring` and `filled` chunks in its fill ring, which `frames`
    gives back.

    `bind` attaches it to one queue of a port.
    """

    def __init__(self, port: Port, *, ring: int = 2048, filled: int = CHUNKS) -> None:
        self._port, self._ring = port, ring
        with port.host.enter():
            self._socket = socket.socket(AF_XDP, socket.SOCK_RAW, 0)
        self._memory = mmap.mmap(-1, CHUNK * CHUNKS)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        registration = struct.pack("=QQIIII", start, CHUNK * CHUNKS, CHUNK, 0, 0, 0)
        self._option(_UMEM_REG, registration)
        for option, size in ((_FILL_RING, CHUNKS), (_COMPLETION_RING, 64), (_RX_RING, ring)):
            self._option(option, struct.pack("=I", size))
        self._fill(range(filled))

    @property
    def fd(self) -> int:
        """The descriptor, the value of an XSKMAP entry."""
        return self._socket.fileno()

    def bind(self, queue: int = 0) -> None:
        """Frames of this queue of the port may be redirected here from now on."""
        address = struct.pack("=HHIII", AF_XDP, _COPY, self._port.ifindex, queue, 0)
        with self._port.host.enter():
            if _libc.bind(self.fd, address, len(address)):
                number = ctypes.get_errno()
                raise OSError(
                    number, f"bind {self._port.name} queue {queue}: {os.strerror(number)}"
                )

    def frames(self) -> list[bytes]:
        """What has arrived since the last call."""
        raw = self._socket.getsockopt(SOL_XDP, _MMAP_OFFSETS, _OFFSETS.size)
        producer, consumer, descriptors, _ = _OFFSETS.unpack(raw)[:4]
        length = descriptors + self._ring * _DESCRIPTOR.size
        found, chunks = [], []
        with mmap.mmap(self.fd, length) as ring:
            (made,) = struct.unpack_from("=I", ring, producer)
            (read,) = struct.unpack_from("=I", ring, consumer)
            for number in range(read, made):
                place = descriptors + number % self._ring * _DESCRIPTOR.size
                address, size, _ = _DESCRIPTOR.unpack_from(ring, place)
                found.append(self._memory[address : address + size])
                chunks.append(address // CHUNK)
            struct.pack_into("=I", ring, consumer, made)
        self._fill(chunks)
        return found

    def close(self) -> None:
        """Leaves every map that it is in."""
        self._socket.close()

    def _option(self, option: int, value: bytes) -> None:
        self._socket.setsockopt(SOL_XDP, option, value)

    def _fill(self, chunks: Sequence[int]) -> None:
        raw = self._socket.getsockopt(SOL_XDP, _MMAP_OFFSETS, _OFFSETS.size)
        producer, _, descriptors, _ = _OFFSETS.unpack(raw)[_FILL : _FILL + 4]
        length = descriptors + CHUNKS * 8
        # A mapping that lives on would keep the socket in its map, so it ends here.
        with mmap.mmap(self.fd, length, offset=_FILL_PAGE_OFFSET) as ring:
            (start,) = struct.unpack_from("=I", ring, producer)
            for number, chunk in enumerate(chunks, start):
                struct.pack_into("=Q", ring, descriptors + 8 * (number % CHUNKS), chunk * CHUNK)
            struct.pack_into("=I", ring, producer, start + len(chunks))
