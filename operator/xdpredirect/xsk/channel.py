"""Records and their descriptors, in and out of one connection, whatever protocol they are of.

Used by `connection` and `plugin_connection`, and by their servers for those whom they turn away.
"""

import array
import contextlib
import os
import socket
import time

from xdpredirect.xsk.closing import Closing, Owner
from xdpredirect.xsk.grants import Peer
from xdpredirect.xsk.messages import REQUEST_OCTETS, Refused, record
from xdpredirect.xsk.protocol import Received

_CLOEXEC = 0x40000000  # MSG_CMSG_CLOEXEC
_QUIET = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL


class Channel:
    """To a client that is known. Owns the socket and the pidfd; `over` once it is to be closed.

    `heard` is when the last record came, on the monotonic clock, and `given` are the descriptors
    that came with it, until `let_go`.
    """

    def __init__(self, connection: socket.socket, who: tuple[Peer, int], closing: Closing) -> None:
        self.socket, self._closing = connection, closing
        self.peer, self.pidfd = who
        self.over, self.heard = False, time.monotonic()
        self.given: list[int] = []

    @property
    def owner(self) -> Owner:
        """Whose limits it counts for."""
        return self.peer.uid, self.peer.pod

    def receive(self) -> Received | None:
        """The next record; None when there is none, or it was the last one."""
        try:
            received, self.given = _take_record(self.socket)
        except BlockingIOError:
            return None
        except OSError:
            self.over = True
            return None
        self.heard = time.monotonic()
        if not received.data:
            # The end of the connection; an empty record looks the same.
            self.over = True
            self.let_go()
            return None
        return received

    def let_go(self) -> None:
        """The record is answered: what came with it is closed."""
        while self.given:
            self._closing.close(self.owner, self.given.pop())

    def send(self, data: bytes, *descriptors: int) -> None:
        """One record, now or never."""
        try:
            _send(self.socket, data, *descriptors)
        except OSError:
            # Gone, or it does not read what it asked for.
            self.over = True

    def close(self) -> None:
        """Close all of it."""
        self.let_go()
        hang_up(self.socket, self.owner, self._closing)
        os.close(self.pidfd)


def send_off(connection: socket.socket, owner: Owner, refused: Refused, closing: Closing) -> None:
    """Refuse a connection and close it."""
    with contextlib.suppress(OSError):
        _send(connection, record(refused))
    hang_up(connection, owner, closing)


def hang_up(connection: socket.socket, owner: Owner, closing: Closing) -> None:
    """The client sees the end at once, whatever it has left in the socket."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    closing.close(owner, connection.detach())


def _send(connection: socket.socket, data: bytes, *descriptors: int) -> None:
    """One record, now or never. Raises OSError."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    connection.sendmsg([data], [rights] if descriptors else [], _QUIET)


def _take_record(connection: socket.socket) -> tuple[Received, list[int]]:
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
