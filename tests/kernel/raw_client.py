"""The protocol of the socket broker spoken by hand: what no client of ours would ever say.

Used by test_xsk_*.py, as a class in the test's own process, which is root, and as a process of any
user without capabilities, which prints what it hears, one record a line:

    python -m tests.kernel.raw_client DIRECTORY UID RECORD...

`--heir` before it: the process that has connected ends, and a child of it speaks. A record that
begins with `FD:` takes that descriptor along; one that begins with `!` is said, and nothing is
heard; at `stop` the process gets a SIGSTOP.
"""

import array
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.kernel.powerless import give_everything_up
from xdpredirect.xsk.messages import NAME, REPLY_OCTETS, Refused, read_reply

PATIENCE_SECONDS = 60.0
SO_SNDBUFFORCE = 32


class RawClient:
    """One connection, which may have been made before. Descriptors that it is given are closed with
    it."""

    def __init__(self, directory: Path, connected: socket.socket | None = None) -> None:
        self._socket = connected or socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(PATIENCE_SECONDS)
        if connected is None:
            self._socket.connect(str(directory / NAME))
        self.descriptors: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        for descriptor in self.descriptors:
            os.close(descriptor)

    def make_room(self, octets: int) -> None:
        """Root may send longer records than others."""
        self._socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, octets)

    def say(self, record: bytes, *descriptors: int) -> None:
        """Raises OSError when the broker has hung up."""
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        self._socket.sendmsg([record], [rights] if descriptors else [])

    def hear(self) -> str:
        """The next record; empty when the broker has hung up."""
        try:
            return self._receive()
        except ConnectionResetError:
            # Something was left unread there; what was said before comes after that error.
            with suppress(ConnectionResetError):
                return self._receive()
            return ""

    def ask(self, record: bytes, *descriptors: int) -> str:
        """Say and hear."""
        self.say(record, *descriptors)
        return self.hear()

    def reason(self, record: bytes, *descriptors: int) -> str:
        """Why that was refused."""
        reply = read_reply(self.ask(record, *descriptors).encode())
        assert isinstance(reply, Refused), reply
        return reply.reason

    def _receive(self) -> str:
        room = socket.CMSG_SPACE(2 * array.array("i").itemsize)
        data, rights, _, _ = self._socket.recvmsg(REPLY_OCTETS, room)
        for _, _, value in rights:
            numbers = array.array("i")
            numbers.frombytes(value)
            self.descriptors += numbers
        return data.decode()


def _main(words: list[str]) -> None:
    heir = words[0] == "--heir"
    directory, uid, *records = words[heir:]
    give_everything_up(int(uid))
    with RawClient(Path(directory)) as client:
        if heir:
            print("connected", flush=True)
            if os.fork():
                os._exit(0)
        for record in records:
            if record == "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
                continue
            number, colon, rest = record.partition(":")
            descriptors = [int(number)] if colon else []
            # Broken, or reset where the broker has left something unread.
            with suppress(BrokenPipeError, ConnectionResetError):
                client.say((rest or record).lstrip("!").encode(), *descriptors)
            print("said" if record.startswith("!") else client.hear(), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
