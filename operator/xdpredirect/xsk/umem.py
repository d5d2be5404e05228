"""The memory that frames are received into: a memfd, shared by the kernel and one client.

Called by `sockets` and `lease`. Its pages are pinned as long as the socket lives, and count for the
memory cgroup of the agent.
"""

import ctypes
import fcntl
import mmap
import os
import socket
from dataclasses import dataclass

from xdpredirect.xsk.uapi import SOL_XDP, UMEM, UMEM_REG

_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


@dataclass(frozen=True)
class Size:
    """`frames` of `octets` each, both powers of two; protocol.py has the bounds."""

    frames: int
    octets: int

    @property
    def total(self) -> int:
        """Octets."""
        return self.frames * self.octets


def register(xsk: socket.socket, size: Size) -> int:
    """Gives the socket its memory and returns the memfd, to be closed by the caller.

    Sealed: it neither shrinks, which would be a SIGBUS for whoever reads it, nor grows beyond what
    was granted. Raises OSError, ENOBUFS when RLIMIT_MEMLOCK does not allow as much.
    """
    memfd = os.memfd_create("xdpredirect-umem", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(memfd, size.total)
        fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, _SEALS)
        # The kernel pins the pages of this mapping, which need not stay.
        with mmap.mmap(memfd, size.total) as memory:
            start = ctypes.c_char.from_buffer(memory)
            registration = UMEM.pack(ctypes.addressof(start), size.total, size.octets, 0, 0, 0)
            try:
                xsk.setsockopt(SOL_XDP, UMEM_REG, registration)
            finally:
                # A mapping that something points into cannot be closed.
                del start
    except BaseException:
        os.close(memfd)
        raise
    return memfd


def empty(memfd: int, octets: int) -> None:
    """Free its pages, whoever else has it open: they count for the agent as long as they are there,
    and a client may keep the memory when it has given back the socket. What it writes there later
    counts for itself. Raises OSError."""
    if _libc.fallocate(memfd, _KEEP_SIZE | _PUNCH_HOLE, 0, octets):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
