"""The broker as a process sees it: a socket in a directory, and a thread that serves it.

Made by the agent, which calls `update` after every pass and `report` for its status. The socket is
open to everybody; who may have what is decided by who connects. Clients are given the directory
and not the socket in it: the next agent makes a new one.
"""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Self

from xdpredirect.xsk.channel import hang_up, send_off
from xdpredirect.xsk.client_log import ClientLog, Shared
from xdpredirect.xsk.closing import Closing, Owner
from xdpredirect.xsk.connection import Connection
from xdpredirect.xsk.event_loop import NOW, EventLoop
from xdpredirect.xsk.grants import Grant, Peer, Slots
from xdpredirect.xsk.holding import Holding
from xdpredirect.xsk.identity import Unidentified, identify
from xdpredirect.xsk.leases import Leases
from xdpredirect.xsk.listener import listen
from xdpredirect.xsk.messages import NAME, Refused
from xdpredirect.xsk.report import holdings

MOST_CONNECTIONS, MOST_OF_PEER = 256, 16
_RELEASING_SECONDS, _DEAF_SECONDS, _TELL_SECONDS = 0.25, 1.0, 1.0
_UNKNOWN: Owner = (-1, "")
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
        self._path = directory / NAME
        self._leases = Leases(slots, memory)
        self._leases.update(grants)
        self._changed, self._told, self._tell_at = changed, self._leases.changes, 0.0
        self._loop = EventLoop("xsk-broker", changed)
        self._lock = self._loop.lock
        self._connections: set[Connection] = set()
        self._closing, self._log = self._shared = Shared(Closing(), ClientLog(log))
        self._look_again = 0.0
        self._hear_again: float | None = None
        try:
            self._listener = listen(self._path, MOST_CONNECTIONS)
        except BaseException:
            self._loop.close()
            raise
        self._listen()
        self._loop.at(self._log.deadline, self._log.tell)
        self._loop.at(lambda: self._hear_again, self._listen)
        self._loop.at(self._releasing, self._look_at_releasing)
        self._loop.at(self._soonest, self._pass_time)
        self._loop.at(self._news, self._tell)
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
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        hang_up(self._listener, _UNKNOWN, self._closing)
        for connection in self._connections:
            connection.drop()
        self._log.close()
        self._leases.close()
        self._loop.close()

    def _listen(self) -> None:
        self._hear_again = None
        self._loop.watch(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        if self._closing.total() >= MOST_CONNECTIONS:
            self._be_deaf("too many are not closed yet")
            return
        try:
            accepted, _ = self._listener.accept()
        except OSError as error:
            self._be_deaf(str(error))
            return
        try:
            peer, pidfd = identify(accepted)
        except (Unidentified, OSError) as error:
            self._log.warning(_UNKNOWN, "refused a connection: %s", error)
            send_off(accepted, _UNKNOWN, Refused("Unidentified", str(error)), self._closing)
            return
        if problem := self._too_many(peer):
            os.close(pidfd)
            refused = Refused("TooManyConnections", problem)
            send_off(accepted, (peer.uid, peer.pod), refused, self._closing)
            return
        connection = Connection(accepted, (peer, pidfd), self._leases, self._shared)
        self._connections.add(connection)
        self._hear(connection)
        self._loop.watch(pidfd, lambda: self._end(connection))

    def _hear(self, connection: Connection) -> None:
        call = partial(self._serve, connection)
        self._loop.watch(connection.channel.socket.fileno(), call)

    def _be_deaf(self, why: str) -> None:
        self._log.error(_UNKNOWN, "cannot accept a connection: %s", why)
        self._loop.forget(self._listener.fileno())
        self._hear_again = time.monotonic() + _DEAF_SECONDS

    def _too_many(self, peer: Peer) -> str:
        owner = (peer.uid, peer.pod)
        of_peer = sum(connection.channel.owner == owner for connection in self._connections)
        if len(self._connections) >= MOST_CONNECTIONS:
            return f"the broker serves {MOST_CONNECTIONS} at most"
        if of_peer + self._closing.stuck(owner) >= MOST_OF_PEER:
            return f"a user or a pod has {MOST_OF_PEER} at most"
        return ""

    def _serve(self, connection: Connection) -> None:
        self._guard(connection, connection.read)
        if connection.waiting:
            self._loop.forget(connection.channel.socket.fileno())

    def _guard(self, connection: Connection, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            # The others must not suffer from a defect that one of them has found.
            owner, pid = connection.channel.owner, connection.channel.peer.pid
            self._log.error(owner, "cannot serve process %s", pid, defect=True)
            connection.channel.over = True

    def _end(self, connection: Connection) -> None:
        self._connections.discard(connection)
        for descriptor in (connection.channel.socket.fileno(), connection.channel.pidfd):
            self._loop.forget(descriptor)
        self._guard(connection, connection.close)

    def _releasing(self) -> float | None:
        return self._look_again if self._leases.releasing() else None

    def _look_at_releasing(self) -> None:
        self._leases.look_at_releasing()
        self._look_again = time.monotonic() + _RELEASING_SECONDS

    def _soonest(self) -> float | None:
        """When a connection is to be tried again, expires or is to be ended."""
        times = [NOW for connection in self._connections if connection.channel.over]
        times += [t for c in self._connections if (t := c.deadline()) is not None]
        times += [connection.again for connection in self._connections if connection.waiting]
        return min(times, default=None)

    def _pass_time(self) -> None:
        now = time.monotonic()
        for connection in tuple(self._connections):
            if connection.waiting and now >= connection.again:
                self._try_again(connection)
            deadline = connection.deadline()
            if deadline is not None and now >= deadline:
                connection.expire()
            if connection.channel.over:
                self._end(connection)

    def _news(self) -> float | None:
        # Clients that come and go all the time must not keep the agent busy.
        return self._tell_at if self._leases.changes != self._told else None

    def _tell(self) -> None:
        self._told, self._tell_at = self._leases.changes, time.monotonic() + _TELL_SECONDS
        self._changed()

    def _try_again(self, connection: Connection) -> None:
        self._guard(connection, connection.try_again)
        if not connection.waiting:
            self._hear(connection)
