"""The device plugin's protocol as a process sees it: a socket for each interface, and a thread.

Made by the agent, which calls `update` after every pass. DPDK looks for a device's socket in
/tmp/afxdp_dp/DEVICE/afxdp.sock, which is how they are laid out here below PLACE. They are open to
everybody; who may have a map is decided by who connects.
"""

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from xdpredirect.xsk.channel import hang_up
from xdpredirect.xsk.client_log import ClientLog, Shared
from xdpredirect.xsk.closing import Closing, Owner
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
        self._lock = threading.Lock()
        self._closing, self._log = self._shared = Shared(Closing(), ClientLog(log))
        self._stopping = self._ended = self._changed = False
        self._hear_again = 0.0
        self._selector = selectors.DefaultSelector()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._watch(self._wake, self._woken)
        self._thread = threading.Thread(target=self._run, name="xsk-plugin", daemon=True)
        try:
            self.update(grants)
        except BaseException:
            self._release()
            raise
        self._thread.start()

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
        os.eventfd_write(self._wake, 1)

    def asked(self) -> dict[str, str]:
        """By interface, the UID of the pod that has it and waits for a map of its own."""
        with self._lock:
            waiting = [one for one in self._connections if one.needs_map()]
            return {one.interface: one.peer.pod for one in waiting}

    def is_alive(self) -> bool:
        """Whether it still serves; False after a defect."""
        return not self._ended

    def close(self) -> None:
        """Stop to serve. Directories stay: clients may have them mounted."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        self._release()

    def _release(self) -> None:
        for name in tuple(self._listeners):
            self._stop_listening(name)
        for connection in self._connections:
            connection.drop()
        self._log.close()
        self._selector.close()
        os.close(self._wake)

    def _listen(self, name: str) -> None:
        made = listen(self._place / name / SOCKET, MOST_CONNECTIONS)
        self._listeners[name] = made
        self._watch(made.fileno(), partial(self._accept, made, name))

    def _stop_listening(self, name: str) -> None:
        listener = self._listeners.pop(name)
        with contextlib.suppress(KeyError):
            self._selector.unregister(listener)
        with contextlib.suppress(FileNotFoundError):
            (self._place / name / SOCKET).unlink()
        hang_up(listener, _UNKNOWN, self._closing)

    def _run(self) -> None:
        try:
            while not self._stopping:
                found = self._selector.select(self._time_left())
                with self._lock:
                    for key, _ in found:
                        # Of several events the first may have ended what the others are about.
                        if self._selector.get_map().get(key.fd) is key:
                            key.data()
                    self._pass_time()
        finally:
            self._ended = True
            if not self._stopping:
                self._tell()

    def _watch(self, descriptor: int, call: Callable[[], None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, call)

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)

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
        self._watch(accepted.fileno(), lambda: self._serve(connection, connection.read))
        self._watch(pidfd, lambda: self._end(connection))

    def _be_deaf(self, why: str) -> None:
        self._log.error(_UNKNOWN, "cannot accept a connection: %s", why)
        for listener in self._listeners.values():
            with contextlib.suppress(KeyError):
                self._selector.unregister(listener)
        self._hear_again = time.monotonic() + _DEAF_SECONDS

    def _hear(self) -> None:
        self._hear_again = 0.0
        for name, listener in self._listeners.items():
            if listener.fileno() not in self._selector.get_map():
                self._watch(listener.fileno(), partial(self._accept, listener, name))

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
            with contextlib.suppress(KeyError):
                self._selector.unregister(descriptor)
        connection.drop()

    def _time_left(self) -> float | None:
        """Seconds until something is to be done without an event."""
        with self._lock:
            times = [connection.deadline() for connection in self._connections]
            if self._hear_again:
                times.append(self._hear_again)
            if (due := self._log.deadline()) is not None:
                times.append(due)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _pass_time(self) -> None:
        self._log.tell()
        now = time.monotonic()
        if self._hear_again and now >= self._hear_again:
            self._hear()
        changed, self._changed = self._changed, False
        for connection in tuple(self._connections):
            if changed and not connection.channel.over:
                self._serve(connection, connection.try_again)
            if not connection.channel.over and now >= connection.deadline():
                self._serve(connection, connection.expire)
            if connection.channel.over:
                self._end(connection)
