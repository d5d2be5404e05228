"""The device plugin's protocol as a process sees it: a socket for each interface, and a thread.

Made by the agent, which calls `update` after every pass. DPDK looks for a device's socket in
/tmp/afxdp_dp/DEVICE/afxdp.sock, which is how they are laid out here below PLACE. They are open to
everybody; who may have a map is decided by who connects.
"""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from xdpredirect.xsk.channel import hang_up
from xdpredirect.xsk.client_log import ClientLog, Shared
from xdpredirect.xsk.closing import Closing, Owner
from xdpredirect.xsk.event_loop import NOW, EventLoop
from xdpredirect.xsk.grants import Grant, WholeMaps
from xdpredirect.xsk.identity import Unidentified, identify
from xdpredirect.xsk.listener import listen
from xdpredirect.xsk.plugin_connection import PluginConnection

PLACE, SOCKET = "afxdp_dp", "afxdp.sock"
MOST_CONNECTIONS, MOST_OF_PEER = 256, 16
_DEAF_SECONDS = 1.0
_UNKNOWN: Owner = (-1, "")
log = logging.getLogger("xdpredirect.xsk")


class PluginServer:
    """Serves clients from a thread of its own until `close`. There is one grant for an interface at
    most. `changed` is called from the thread when a pod needs a map, and when a defect ends it.
    Raises OSError when a socket cannot be made."""

    def __init__(
        self,
        directory: Path,
        maps: WholeMaps,
        grants: Collection[Grant],
        changed: Callable[[], None],
    ) -> None:
        self._place, self._maps, self._tell = directory / PLACE, maps, changed
        self._grants: dict[str, Grant] = {}
        self._listeners: dict[str, socket.socket] = {}
        self._connections: set[PluginConnection] = set()
        self._loop = EventLoop("xsk-plugin", changed)
        self._lock = self._loop.lock
        self._closing, self._log = self._shared = Shared(Closing(), ClientLog(log))
        self._changed = False
        self._hear_again: float | None = None
        self._loop.at(self._log.deadline, self._log.tell)
        self._loop.at(lambda: self._hear_again, self._hear)
        self._loop.at(self._soonest, self._pass_time)
        try:
            self.update(grants)
        except BaseException:
            self._release()
            raise
        self._loop.start()

    def update(self, grants: Collection[Grant]) -> None:
        """These are the grants from now on. Raises OSError."""
        with self._lock:
            self._grants.clear()
            self._grants |= {grant.interface: grant for grant in grants}
            for name in self._listeners.keys() - self._grants.keys():
                self._stop_listening(name)
                with contextlib.suppress(OSError):
                    (self._place / name).rmdir()
            for name in self._grants.keys() - self._listeners.keys():
                self._listen(name)
            self._changed = True
        self._loop.wake()

    def asked(self) -> dict[str, str]:
        """By interface, the UID of the pod that has it and waits for a map of its own."""
        with self._lock:
            waiting = [one for one in self._connections if one.needs_map()]
            return {one.interface: one.peer.pod for one in waiting}

    def is_alive(self) -> bool:
        """Whether it still serves; False after a defect."""
        return self._loop.is_alive()

    def close(self) -> None:
        """Stop to serve. Directories stay: clients may have them mounted."""
        self._loop.stop()
        self._release()

    def _release(self) -> None:
        for name in tuple(self._listeners):
            self._stop_listening(name)
        for connection in self._connections:
            connection.drop()
        self._log.close()
        self._loop.close()

    def _listen(self, name: str) -> None:
        made = listen(self._place / name / SOCKET, MOST_CONNECTIONS)
        self._listeners[name] = made
        self._loop.watch(made.fileno(), partial(self._accept, made, name))

    def _stop_listening(self, name: str) -> None:
        listener = self._listeners.pop(name)
        self._loop.forget(listener.fileno())
        with contextlib.suppress(FileNotFoundError):
            (self._place / name / SOCKET).unlink()
        hang_up(listener, _UNKNOWN, self._closing)

    def _accept(self, listener: socket.socket, name: str) -> None:
        try:
            accepted, _ = listener.accept()
        except OSError as error:
            self._be_deaf(str(error))
            return
        accepted.setblocking(False)
        try:
            peer, pidfd = identify(accepted)
        except (Unidentified, OSError) as error:
            self._log.warning(_UNKNOWN, "map of %s: refused a connection: %s", name, error)
            hang_up(accepted, _UNKNOWN, self._closing)
            return
        owner = (peer.uid, peer.pod)
        if self._is_too_many(owner):
            words = "map of %s: refused to user %s: TooManyConnections"
            self._log.warning(owner, words, name, peer.uid)
            os.close(pidfd)
            hang_up(accepted, owner, self._closing)
            return
        granted = self._grants, self._maps
        connection = PluginConnection(accepted, (peer, pidfd), name, granted, self._shared)
        self._connections.add(connection)
        self._loop.watch(accepted.fileno(), lambda: self._serve(connection, connection.read))
        self._loop.watch(pidfd, lambda: self._end(connection))

    def _be_deaf(self, why: str) -> None:
        self._log.error(_UNKNOWN, "cannot accept a connection: %s", why)
        for listener in self._listeners.values():
            self._loop.forget(listener.fileno())
        self._hear_again = time.monotonic() + _DEAF_SECONDS

    def _hear(self) -> None:
        self._hear_again = None
        for name, listener in self._listeners.items():
            # Others have come since then.
            if not self._loop.watches(listener.fileno()):
                self._loop.watch(listener.fileno(), partial(self._accept, listener, name))

    def _is_too_many(self, owner: Owner) -> bool:
        of_owner = sum(connection.channel.owner == owner for connection in self._connections)
        return (
            len(self._connections) + self._closing.total() >= MOST_CONNECTIONS
            or of_owner + self._closing.stuck(owner) >= MOST_OF_PEER
        )

    def _serve(self, connection: PluginConnection, step: Callable[[], None]) -> None:
        told = connection.needs_map()
        try:
            step()
            if connection.needs_map() and not told:
                self._tell()
        except Exception:
            # The others must not suffer from a defect that one of them has found.
            owner, pid = connection.channel.owner, connection.channel.peer.pid
            self._log.error(owner, "cannot serve process %s", pid, defect=True)
            connection.channel.over = True

    def _end(self, connection: PluginConnection) -> None:
        self._connections.discard(connection)
        for descriptor in (connection.channel.socket.fileno(), connection.channel.pidfd):
            self._loop.forget(descriptor)
        connection.drop()

    def _soonest(self) -> float | None:
        """When a connection is to be tried again, expires or is to be ended."""
        times = [c.deadline() for c in self._connections]
        times += [NOW for connection in self._connections if connection.channel.over]
        return NOW if self._changed else min(times, default=None)

    def _pass_time(self) -> None:
        now = time.monotonic()
        changed, self._changed = self._changed, False
        for connection in tuple(self._connections):
            if changed and not connection.channel.over:
                self._serve(connection, connection.try_again)
            if not connection.channel.over and now >= connection.deadline():
                self._serve(connection, connection.expire)
            if connection.channel.over:
                self._end(connection)
