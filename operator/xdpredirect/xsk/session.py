"""A client's half of the conversation with the broker. Called by `client`."""

import array
import os
import select
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from xdpredirect.errors import SocketRefused
from xdpredirect.xsk.messages import (
    NAME,
    REPLY_OCTETS,
    VERSION,
    Hello,
    Refused,
    Reply,
    Request,
    Told,
    read_reply,
    record,
)

_SECONDS = 10.0
"""The broker itself waits 5 s for a queue or a grant at most."""
_CLOEXEC = 0x40000000  # MSG_CMSG_CLOEXEC


class Session:
    """A connection that has said hello. Raises OSError when there is no broker, or none any more,
    and SocketRefused."""

    def __init__(self, directory: Path, name: str) -> None:
        self.withdrawn: set[tuple[str, int]] = set()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.settimeout(_SECONDS)
            _connect(self._socket, directory / NAME)
            self.ask(Hello(VERSION, name))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Whatever the connection holds is given up."""
        self._socket.close()

    def fileno(self) -> int:
        """Readable when there is news, or the broker has gone."""
        return self._socket.fileno()

    def ask(self, request: Request, *descriptors: int) -> tuple[Reply, list[int]]:
        """The answer and the descriptors that came with it, the caller's to close."""
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        # Who is turned away at the door is told why before the request can be sent.
        with suppress(BrokenPipeError):
            self._socket.sendmsg(
                [record(request)], [rights] if descriptors else [], socket.MSG_NOSIGNAL
            )
        while True:
            reply, received = self._receive()
            if isinstance(reply, Refused):
                _close(received)
                raise SocketRefused(reply.reason, reply.sentence)
            if not isinstance(reply, Told) or reply.what != "withdrawn":
                return reply, received
            self._note(reply)

    def news(self) -> None:
        """Take what came unasked. Raises ConnectionError when the broker has gone."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while poll.poll(0):
            reply, received = self._receive()
            _close(received)
            if isinstance(reply, Told):
                self._note(reply)

    def _note(self, told: Told) -> None:
        self.withdrawn.add((told.interface, told.queue))

    def _receive(self) -> tuple[Reply, list[int]]:
        numbers = array.array("i")
        room = socket.CMSG_SPACE(2 * numbers.itemsize)
        try:
            data, rights, flags, _ = self._socket.recvmsg(REPLY_OCTETS, room, _CLOEXEC)
        except ConnectionResetError:
            # Our request was not read any more; the last record of the broker comes after this.
            data, rights, flags, _ = self._socket.recvmsg(REPLY_OCTETS, room, _CLOEXEC)
        for level, kind, value in rights:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers.frombytes(value[: len(value) - len(value) % numbers.itemsize])
        if not data:
            raise ConnectionResetError("the broker has hung up")
        reply = read_reply(data)
        if reply is None or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            _close(list(numbers))
            raise ConnectionAbortedError("the broker speaks another protocol")
        return reply, list(numbers)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _connect(made: socket.socket, path: Path) -> None:
    try:
        made.connect(str(path))
    except OSError as error:
        # Sockets do not say it of themselves, and it is where people have to look.
        error.filename = str(path)
        raise


def own_name() -> str:
    """What a client calls itself."""
    name = Path(sys.argv[0]).name if sys.argv else ""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name)[:63] or "python"
