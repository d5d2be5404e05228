"""Records and their descriptors on a connection. Called by the servers and their connections."""

import array
import contextlib
import socket

from xdpredirect.xsk.closing import Closing, Owner
from xdpredirect.xsk.messages import REQUEST_OCTETS, Refused, record
from xdpredirect.xsk.protocol import Received

_CLOEXEC = 0x40000000  # MSG_CMSG_CLOEXEC
_QUIET = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL


def send(connection: socket.socket, data: bytes, *descriptors: int) -> None:
    """One record, now or never. Raises OSError."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    connection.sendmsg([data], [rights] if descriptors else [], _QUIET)


def send_off(connection: socket.socket, owner: Owner, refused: Refused, closing: Closing) -> None:
    """Refuse a connection and close it."""
    with contextlib.suppress(OSError):
        send(connection, record(refused))
    hang_up(connection, owner, closing)


def hang_up(connection: socket.socket, owner: Owner, closing: Closing) -> None:
    """The client sees the end at once, whatever it has left in the socket."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    closing.close(owner, connection.detach())


def take_record(connection: socket.socket) -> tuple[Received, list[int]]:
    """A record, and its descriptors as a list for the caller to close.

    One that breaks the rules stays in the socket: what is not taken of it the kernel would close,
    here and now.
    """
    room = socket.CMSG_SPACE(array.array("i").itemsize)
    flags = socket.MSG_DONTWAIT | socket.MSG_PEEK | _CLOEXEC
    data, rights, seen, _ = connection.recvmsg(REQUEST_OCTETS, room, flags)
    numbers = array.array("i")
    for level, kind, value in rights:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(value[: len(value) - len(value) % numbers.itemsize])
    cut = bool(seen & (socket.MSG_TRUNC | socket.MSG_CTRUNC))
    if not cut and len(numbers) <= 1:
        connection.recv(REQUEST_OCTETS, socket.MSG_DONTWAIT)
    return Received(data, len(numbers), cut), list(numbers)
