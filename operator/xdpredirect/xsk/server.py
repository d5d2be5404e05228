"""The broker as a process sees it: a socket in a directory, and a thread that serves it.

Made by the agent, which calls `update` after every pass and `report` for its status. The socket is
open to everybody; who may have what is decided by who connects. Clients are given the directory
and not the socket in it: the next agent makes a new one.
"""

import logging
import socket
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Self

from xdpredirect.xsk.channel import Channel, send_off
from xdpredirect.xsk.client_log import ClientLog, Shared
from xdpredirect.xsk.closing import Closing
from xdpredirect.xsk.connection import Connection
from xdpredirect.xsk.connections import MOST_CONNECTIONS, Connections
from xdpredirect.xsk.door import UNKNOWN, Door, Entrance
from xdpredirect.xsk.event_loop import EventLoop
from xdpredirect.xsk.grants import Grant, Slots
from xdpredirect.xsk.holding import Holding
from xdpredirect.xsk.leases import Leases
from xdpredirect.xsk.messages import NAME, Refused, record
from xdpredirect.xsk.report import holdings

_RELEASING_SECONDS, _TELL_SECONDS = 0.25, 1.0
log = logging.getLogger("xdpredirect.xsk")


def _nobody() -> None:
    """Nobody wants to know."""


class Server:
    """Serves clients from a thread of its own until `close`, or to the end of a `with`.

    `memory` is a file in which the next server finds what this one has handed out, `grants` are
    those of the beginning: a client that comes back must not meet a server that knows of none.
    `changed` is called from the thread after something was taken or given back, once a second at
    most. Raises OSError when the socket cannot be made.
    """

    def __init__(
        self,
        directory: Path,
        slots: Slots,
        memory: Path,
        grants: Collection[Grant] = (),
        changed: Callable[[], None] = _nobody,
    ) -> None:
        self._leases = Leases(slots, memory)
        self._leases.update(grants)
        self._changed, self._told, self._tell_at = changed, self._leases.changes, 0.0
        self._look_again = 0.0
        self._closing, self._log = shared = Shared(Closing(), ClientLog(log))
        self._loop = EventLoop("xsk-broker", changed)
        self._lock = self._loop.lock
        self._loop.at(self._log.deadline, self._log.tell)
        self._door = Door(self._loop, shared, self._problem)
        self._loop.at(self._releasing, self._look_at_releasing)
        self._connections = Connections[Connection](self._loop, shared)
        self._loop.at(self._news, self._tell)
        try:
            self._door.open(directory / NAME, Entrance(self._let_in, self._turn_away))
        except BaseException:
            self._release()
            raise
        self._loop.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, grants: Collection[Grant]) -> None:
        """These are the grants from now on. What they do not allow has ended on return: its slots
        are empty, its client is told."""
        with self._lock:
            for lease in self._leases.update(grants):
                name = f"socket of queue {lease.queue} of {lease.place[0]}"
                log.info("%s: taken back from process %s", name, lease.peer.pid)
                for connection in self._connections:
                    connection.withdraw(lease)
        self._loop.wake()

    def report(self) -> tuple[Holding, ...]:
        """What is handed out, and what is not given back yet."""
        with self._lock:
            return holdings(self._leases)

    def counts(self) -> tuple[Holding, ...]:
        """Every socket that is handed out, and those that ended since the last call."""
        with self._lock:
            return self._leases.counts()

    def is_alive(self) -> bool:
        """Whether it still serves; False after a defect."""
        return self._loop.is_alive()

    def close(self) -> None:
        """Stop to serve. Clients keep their sockets and go on to receive."""
        self._loop.stop()
        self._release()

    def _release(self) -> None:
        self._door.shut_all()
        self._connections.drop()
        self._log.close()
        self._leases.close()
        self._loop.close()

    def _problem(self) -> str:
        # What clients have sent is closed in threads, which must not become ever more.
        late = self._closing.total() >= MOST_CONNECTIONS
        return "too many are not closed yet" if late else ""

    def _let_in(self, channel: Channel) -> None:
        if problem := self._connections.too_many(channel.owner):
            channel.send(record(Refused("TooManyConnections", problem)))
            channel.close()
            return
        self._connections.add(Connection(channel, self._leases, self._log))

    def _turn_away(self, connection: socket.socket, why: str) -> None:
        self._log.warning(UNKNOWN, "refused a connection: %s", why)
        send_off(connection, UNKNOWN, Refused("Unidentified", why), self._closing)

    def _releasing(self) -> float | None:
        return self._look_again if self._leases.releasing() else None

    def _look_at_releasing(self) -> None:
        self._leases.look_at_releasing()
        self._look_again = time.monotonic() + _RELEASING_SECONDS

    def _news(self) -> float | None:
        # Clients that come and go all the time must not keep the agent busy.
        return self._tell_at if self._leases.changes != self._told else None

    def _tell(self) -> None:
        self._told, self._tell_at = self._leases.changes, time.monotonic() + _TELL_SECONDS
        self._changed()
