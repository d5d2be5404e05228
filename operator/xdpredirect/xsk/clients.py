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


class Client(Protocol):
    """A connection, of whatever protocol."""

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


_Client = TypeVar("_Client", bound=Client)


class Clients(Generic[_Client]):
    """Iterates over those of now; they may end meanwhile."""

    def __init__(self, loop: EventLoop, shared: Shared) -> None:
        self._loop = loop
        self._closing, self._log = shared
        self._all: set[_Client] = set()
        loop.at(self._deadline, self._pass_time)

    def __iter__(self) -> Iterator[_Client]:
        return iter(tuple(self._all))

    def too_many(self, owner: Owner, besides: int = 0) -> str:
        """Why there is no room for one more of this owner; empty when there is. So many `besides`
        count as well."""
        if len(self._all) + besides >= MOST_CONNECTIONS:
            return f"the broker serves {MOST_CONNECTIONS} at most"
        of_owner = sum(client.channel.owner == owner for client in self._all)
        if of_owner + self._closing.stuck(owner) >= MOST_OF_PEER:
            return f"a user or a pod has {MOST_OF_PEER} at most"
        return ""

    def add(self, client: _Client) -> None:
        """Serve one more, until it is over or its process ends."""
        self._all.add(client)
        self._hear(client)
        self._loop.watch(client.channel.pidfd, partial(self._end, client))

    def step(self, client: _Client, call: Callable[[], None]) -> None:
        """Something that one of them does: nobody else suffers from it."""
        self._guard(client, call)
        descriptor = client.channel.socket.fileno()
        if not client.reads():
            self._loop.forget(descriptor)
        elif not self._loop.watches(descriptor):
            self._hear(client)

    def drop(self) -> None:
        """Close all connections, at the end of the server. What clients have stays with them."""
        for client in self._all:
            client.channel.close()

    def _hear(self, client: _Client) -> None:
        call = partial(self.step, client, client.read)
        self._loop.watch(client.channel.socket.fileno(), call)

    def _guard(self, client: _Client, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            # The others must not suffer from a defect that one of them has found.
            channel = client.channel
            self._log.error(channel.owner, "cannot serve process %s", channel.peer.pid, defect=True)
            channel.over = True

    def _end(self, client: _Client) -> None:
        self._all.discard(client)
        for descriptor in (client.channel.socket.fileno(), client.channel.pidfd):
            self._loop.forget(descriptor)
        self._guard(client, client.close)

    def _deadline(self) -> float | None:
        if any(client.channel.over for client in self._all):
            return NOW
        times = [due for client in self._all if (due := client.deadline()) is not None]
        return min(times, default=None)

    def _pass_time(self) -> None:
        for client in self:
            if not client.channel.over and has_passed(client.deadline()):
                self.step(client, client.expire)
            if client.channel.over:
                self._end(client)
