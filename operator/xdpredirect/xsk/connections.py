"""The connections of a server: how many there may be, each served apart from the others and ended
when it is over. Used by `server` and `plugin_server`."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Generic, Protocol, TypeVar

from xdpredirect.xsk.channel import Channel
from xdpredirect.xsk.client_log import Shared
from xdpredirect.xsk.closing import Owner
from xdpredirect.xsk.event_loop import NOW, EventLoop, has_passed

MOST_CONNECTIONS, MOST_OF_PEER = 256, 16
"""Of all, and of a user or a pod."""


class AnyConnection(Protocol):
    """One of whatever protocol: what `connection` and `plugin_connection` have in common."""

    channel: Channel

    def read(self) -> None:
        """Take one record and answer it."""

    def reads(self) -> bool:
        """Whether there is to be a next one now."""

    def deadline(self) -> float | None:
        """When `expire` is due, on the monotonic clock; None for never."""

    def expire(self) -> None:
        """That time has come."""

    def close(self) -> None:
        """It is over."""


_Connection = TypeVar("_Connection", bound=AnyConnection)


class Connections(Generic[_Connection]):
    """Iterates over those of now; they may end meanwhile."""

    def __init__(self, loop: EventLoop, shared: Shared) -> None:
        self._loop = loop
        self._closing, self._log = shared
        self._all: set[_Connection] = set()
        loop.at(self._deadline, self._pass_time)

    def __iter__(self) -> Iterator[_Connection]:
        return iter(tuple(self._all))

    def too_many(self, owner: Owner, besides: int = 0) -> str:
        """Why there is no room for one more of this owner; empty when there is. So many `besides`
        count as well."""
        if len(self._all) + besides >= MOST_CONNECTIONS:
            return f"the broker serves {MOST_CONNECTIONS} at most"
        of_owner = sum(connection.channel.owner == owner for connection in self._all)
        if of_owner + self._closing.stuck(owner) >= MOST_OF_PEER:
            return f"a user or a pod has {MOST_OF_PEER} at most"
        return ""

    def add(self, connection: _Connection) -> None:
        """Serve one more, until it is over or its process ends."""
        self._all.add(connection)
        self._hear(connection)
        self._loop.watch(connection.channel.pidfd, partial(self._end, connection))

    def step(self, connection: _Connection, call: Callable[[], None]) -> None:
        """Carry out what one of them does next; nobody else suffers from a defect in it."""
        self._guard(connection, call)
        descriptor = connection.channel.socket.fileno()
        if not connection.reads():
            self._loop.forget(descriptor)
        elif not self._loop.watches(descriptor):
            self._hear(connection)

    def drop(self) -> None:
        """Close all connections, at the end of the server. What clients have stays with them."""
        for connection in self._all:
            connection.channel.close()

    def _hear(self, connection: _Connection) -> None:
        call = partial(self.step, connection, connection.read)
        self._loop.watch(connection.channel.socket.fileno(), call)

    def _guard(self, connection: _Connection, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            # The others must not suffer from a defect that one of them has found.
            channel = connection.channel
            self._log.error(channel.owner, "cannot serve process %s", channel.peer.pid, defect=True)
            channel.over = True

    def _end(self, connection: _Connection) -> None:
        self._all.discard(connection)
        for descriptor in (connection.channel.socket.fileno(), connection.channel.pidfd):
            self._loop.forget(descriptor)
        self._guard(connection, connection.close)

    def _deadline(self) -> float | None:
        if any(connection.channel.over for connection in self._all):
            return NOW
        times = [due for connection in self._all if (due := connection.deadline()) is not None]
        return min(times, default=None)

    def _pass_time(self) -> None:
        for connection in self:
            if not connection.channel.over and has_passed(connection.deadline()):
                self.step(connection, connection.expire)
            if connection.channel.over:
                self._end(connection)
