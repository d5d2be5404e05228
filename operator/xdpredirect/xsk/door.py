"""Where clients come in: sockets that listen, and who it is that connects. Used by `server` and
`plugin_server`."""

import contextlib
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from xdpredirect.xsk.channel import Channel, hang_up
from xdpredirect.xsk.client_log import Shared
from xdpredirect.xsk.closing import Owner
from xdpredirect.xsk.connections import MOST_CONNECTIONS
from xdpredirect.xsk.event_loop import EventLoop
from xdpredirect.xsk.identity import Unidentified, identify
from xdpredirect.xsk.listener import listen

DEAF_SECONDS = 1.0
UNKNOWN: Owner = (-1, "")
"""Whose limits count for what cannot be told to be anybody's."""


class Entrance(NamedTuple):
    """What becomes of those who come in here. `let_in` gets the channel to a client that is known,
    `turn_away` a connection and why nobody can tell whose it is; both are theirs to close."""

    let_in: Callable[[Channel], None]
    turn_away: Callable[[socket.socket, str], None]


class _Listening(NamedTuple):
    listener: socket.socket
    entrance: Entrance


def _none() -> str:
    """Nothing is the matter."""
    return ""


class Door:
    """All that listens for a server. While nobody can be accepted, for want of descriptors for
    example, or there is a `problem`, it is deaf for a second each time: who waits outside would
    keep the thread busy.
    """

    def __init__(self, loop: EventLoop, shared: Shared, problem: Callable[[], str] = _none) -> None:
        self._loop, self._problem = loop, problem
        self._closing, self._log = shared
        self._open: dict[Path, _Listening] = {}
        self._hear_again: float | None = None
        loop.at(lambda: self._hear_again, self._hear)

    def paths(self) -> frozenset[Path]:
        """Where it listens."""
        return frozenset(self._open)

    def open(self, path: Path, entrance: Entrance) -> None:
        """Listen there. Raises OSError, EADDRINUSE when somebody does so already."""
        self._open[path] = _Listening(listen(path, MOST_CONNECTIONS), entrance)
        self._watch(path)

    def shut(self, path: Path) -> None:
        """Listen there no more."""
        listener, _ = self._open.pop(path)
        self._loop.forget(listener.fileno())
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        hang_up(listener, UNKNOWN, self._closing)

    def shut_all(self) -> None:
        """Listen no more."""
        for path in self.paths():
            self.shut(path)

    def _watch(self, path: Path) -> None:
        found = self._open[path]
        self._loop.watch(found.listener.fileno(), partial(self._accept, found))

    def _accept(self, at: _Listening) -> None:
        if problem := self._problem():
            self._be_deaf(problem)
            return
        try:
            connection, _ = at.listener.accept()
        except OSError as error:
            self._be_deaf(str(error))
            return
        connection.setblocking(False)
        try:
            who = identify(connection)
        except (Unidentified, OSError) as error:
            at.entrance.turn_away(connection, str(error))
            return
        at.entrance.let_in(Channel(connection, who, self._closing))

    def _be_deaf(self, why: str) -> None:
        self._log.error(UNKNOWN, "cannot accept a connection: %s", why)
        for found in self._open.values():
            self._loop.forget(found.listener.fileno())
        self._hear_again = time.monotonic() + DEAF_SECONDS

    def _hear(self) -> None:
        self._hear_again = None
        for path, found in self._open.items():
            # Others were opened meanwhile.
            if not self._loop.watches(found.listener.fileno()):
                self._watch(path)
