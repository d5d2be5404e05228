"""AF_XDP sockets of this network namespace: made, bound, looked at. Called by `leases` and `own`.

Needs CAP_NET_RAW. What leaves here is bound: an unbound socket would let its holder choose any
device and queue of the host. A bound one cannot be bound again, nor gain a ring that it lacks
(net/xdp/xsk.c, xsk_bind and xsk_setsockopt: EBUSY), so without a TX ring it only receives.
"""

import ctypes
import errno
import mmap
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from xdpredirect.xsk import uapi
from xdpredirect.xsk.grants import CopyMode, Refusal
from xdpredirect.xsk.identity import netns_of
from xdpredirect.xsk.umem import Size, register

_FLAGS = {CopyMode.AUTO: 0, CopyMode.COPY: uapi.COPY, CopyMode.ZERO_COPY: uapi.ZERO_COPY}
_NOT_IN_PIECES = (errno.EINVAL, errno.EOPNOTSUPP)
"""What a kernel before 6.6 says of XDP_USE_SG; and a driver whose zero-copy has no such frames."""
_BUSY_MICROSECONDS = 20
"""Any but 0: AF_XDP does not wait, it polls once for each call (net/xdp/xsk.c, xsk_recvmsg)."""
_RAW = int(socket.SOCK_RAW)
_NO_SOCKETS = {
    errno.EPERM: "the agent lacks CAP_NET_RAW",
    errno.EAFNOSUPPORT: "the kernel is built without CONFIG_XDP_SOCKETS",
}
_libc = ctypes.CDLL(None, use_errno=True)


class Place(NamedTuple):
    """A receive queue of a device."""

    ifindex: int
    queue: int


class Wanted(NamedTuple):
    """How a socket is bound; `multi_buffer`, and `busy_poll` frames at once, if they can be had."""

    copy_mode: CopyMode
    transmit: bool
    multi_buffer: bool = False
    busy_poll: int | None = None


class Made(NamedTuple):
    """A bound socket and the memfd of its UMEM, both to be closed by the caller, and what it has of
    what was wanted."""

    socket: socket.socket
    memfd: int
    multi_buffer: bool
    busy_poll: int | None


class RingsUnmappable(OSError):
    """The kernel maps no rings of a socket that is bound already; a newer one does."""


def probe() -> None:
    """Raises OSError, with words, when nobody can make such sockets here at all."""
    try:
        socket.socket(uapi.AF_XDP, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0).close()
    except OSError as error:
        why = _NO_SOCKETS.get(error.errno or 0, error.strerror)
        raise OSError(error.errno, why, "AF_XDP") from error


def open_bound(place: Place, size: Size, wanted: Wanted) -> Made:
    """A socket that receives from `place`, with rings of `size.frames` entries.

    Raises OSError: EBUSY when the queue is somebody's, EINVAL when there is no such queue, ENODEV
    no such device, EOPNOTSUPP no zero-copy, EPERM no CAP_NET_RAW; and RingsUnmappable.
    """
    try:
        return _open(place, size, wanted)
    except OSError as error:
        if not wanted.multi_buffer or error.errno not in _NOT_IN_PIECES:
            raise
    # A new socket: the UMEM of this one stays marked (net/xdp/xsk_buff_pool.c, xp_assign_dev).
    return _open(place, size, wanted._replace(multi_buffer=False))


def _open(place: Place, size: Size, wanted: Wanted) -> Made:
    transmit = wanted.transmit
    made = socket.socket(uapi.AF_XDP, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        memfd = register(made, size)
        try:
            rings = {
                uapi.FILL_RING: size.frames,
                # The kernel wants one even when nothing is ever sent.
                uapi.COMPLETION_RING: size.frames if transmit else 1,
                uapi.RX_RING: size.frames,
            }
            if transmit:
                rings[uapi.TX_RING] = size.frames
            for option, entries in rings.items():
                made.setsockopt(uapi.SOL_XDP, option, uapi.ENTRIES.pack(entries))
            _fill(made, size, size.frames // 2 if transmit else size.frames)
            in_pieces = uapi.USE_SG if wanted.multi_buffer else 0
            _bind(made, place, _FLAGS[wanted.copy_mode] | uapi.NEED_WAKEUP | in_pieces)
            if not _has_ring(made, uapi.PAGE_RX):
                raise RingsUnmappable(errno.EBUSY, "mmap of a ring of a bound socket")
        except BaseException:
            os.close(memfd)
            raise
    except BaseException:
        made.close()
        raise
    return Made(made, memfd, wanted.multi_buffer, _poll_busily(made, wanted.busy_poll))


def _poll_busily(xsk: socket.socket, budget: int | None) -> int | None:
    if budget is not None:
        try:
            busy_poll(xsk.fileno(), _BUSY_MICROSECONDS, budget)
        except OSError:
            # ENOPROTOOPT before Linux 5.11, or without CONFIG_NET_RX_BUSY_POLL.
            return None
    return budget


def _fill(xsk: socket.socket, size: Size, filled: int) -> None:
    """The first frames of the UMEM are the kernel's from the start, so that nothing is lost until
    the client looks."""
    raw = xsk.getsockopt(uapi.SOL_XDP, uapi.MMAP_OFFSETS, uapi.OFFSETS_OCTETS)
    ring = uapi.offsets(raw).fill
    addresses = struct.pack(f"={filled}Q", *range(0, filled * size.octets, size.octets))
    length = ring.descriptors + len(addresses)
    with mmap.mmap(xsk.fileno(), length, offset=uapi.PAGE_FILL) as memory:
        memory[ring.descriptors : length] = addresses
        memory[ring.producer : ring.producer + 4] = uapi.ENTRIES.pack(filled)


def _bind(xsk: socket.socket, place: Place, flags: int) -> None:
    address = uapi.ADDRESS.pack(uapi.AF_XDP, flags, place.ifindex, place.queue, 0)
    if _libc.bind(xsk.fileno(), address, len(address)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def is_free(place: Place) -> bool:
    """Whether nobody has the queue. In copy mode, so that no driver hears of it."""
    try:
        made = open_bound(place, Size(64, 2048), Wanted(CopyMode.COPY, transmit=False))
    except OSError as error:
        return error.errno != errno.EBUSY
    made.socket.close()
    os.close(made.memfd)
    return True


def statistics(fd: int) -> uapi.Statistics:
    """What a socket has received and lost. Raises OSError."""
    with _borrowed(fd) as xsk:
        raw = xsk.getsockopt(uapi.SOL_XDP, uapi.STATISTICS, uapi.STATISTICS_OCTETS)
    return uapi.statistics_of(raw)


def is_zero_copy(xsk: socket.socket) -> bool:
    """Which of both a bound socket came to."""
    raw = xsk.getsockopt(uapi.SOL_XDP, uapi.OPTIONS, uapi.ENTRIES.size)
    return bool(uapi.ENTRIES.unpack(raw)[0] & uapi.OPTION_ZERO_COPY)


def cookie(xsk: socket.socket) -> int:
    """The kernel's number of this socket; no other one gets it until the next boot."""
    raw = xsk.getsockopt(socket.SOL_SOCKET, uapi.SO_COOKIE, 8)
    return int.from_bytes(raw, sys.byteorder)


def problem_of(fd: int, netns: int) -> Refusal | None:
    """Why a descriptor is no bound AF_XDP socket of that network namespace."""
    try:
        with _borrowed(fd) as xsk:
            domain = xsk.getsockopt(socket.SOL_SOCKET, uapi.SO_DOMAIN)
            if domain != uapi.AF_XDP or xsk.getsockopt(socket.SOL_SOCKET, uapi.SO_TYPE) != _RAW:
                return Refusal("WrongSocket", "the socket is not one of AF_XDP")
            if netns_of(xsk) != netns:
                return Refusal("WrongNamespace", "the socket is of another network namespace")
            bound = _is_bound(xsk)
    except OSError:
        return Refusal("WrongSocket", "the descriptor is no socket")
    return None if bound else Refusal("NotBound", "the socket is not bound")


def can_transmit(fd: int) -> bool:
    """Whether a bound socket has a TX ring."""
    with _borrowed(fd) as xsk:
        return _has_ring(xsk, uapi.PAGE_TX)


def busy_poll(fd: int, microseconds: int, budget: int) -> None:
    """Have a socket poll its device so long, for so many frames at once. Raises OSError: EPERM
    without CAP_NET_ADMIN."""
    with _borrowed(fd) as xsk:
        xsk.setsockopt(socket.SOL_SOCKET, uapi.SO_PREFER_BUSY_POLL, 1)
        xsk.setsockopt(socket.SOL_SOCKET, uapi.SO_BUSY_POLL, microseconds)
        xsk.setsockopt(socket.SOL_SOCKET, uapi.SO_BUSY_POLL_BUDGET, budget)


def own_netns() -> int:
    """The number of this network namespace, as in Peer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as own:
        return netns_of(own)


@contextmanager
def _borrowed(fd: int) -> Iterator[socket.socket]:
    """A descriptor as an object that does not close it. It may be of anything."""
    xsk = socket.socket(uapi.AF_XDP, socket.SOCK_RAW, 0, fileno=fd)
    try:
        yield xsk
    finally:
        xsk.detach()


def _is_bound(xsk: socket.socket) -> bool:
    # A ring of no entries is never made: EINVAL says it could be now, EBUSY that it is too late.
    try:
        xsk.setsockopt(uapi.SOL_XDP, uapi.RX_RING, uapi.ENTRIES.pack(0))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def _has_ring(xsk: socket.socket, page: int) -> bool:
    try:
        mmap.mmap(xsk.fileno(), mmap.PAGESIZE, offset=page).close()
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EBUSY):
            return False
        raise
    return True
