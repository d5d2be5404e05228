"""The device plugin's protocol as a process sees it: a socket for each interface, and a thread.

Made by the agent, which calls `update` after every pass. DPDK looks for a device's socket in
/tmp/afxdp_dp/DEVICE/afxdp.sock, which is how they are laid out here below PLACE. They are open to
everybody; who may have a map is decided by who connects.
"""

import contextlib
import logging
import socket
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from xdpredirect.xsk.channel import Channel, hang_up
from xdpredirect.xsk.client_log import ClientLog, Shared
from xdpredirect.xsk.closing import Closing
from xdpredirect.xsk.connections import Connections
from xdpredirect.xsk.door import UNKNOWN, Door, Entrance
from xdpredirect.xsk.event_loop import NOW, EventLoop
from xdpredirect.xsk.grants import Grant, WholeMaps
from xdpredirect.xsk.plugin_connection import PluginConnection

PLACE, SOCKET = "afxdp_dp", "afxdp.sock"
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
        self._changed = False
        self._told: frozenset[PluginConnection] = frozenset()
        self._closing, self._log = shared = Shared(Closing(), ClientLog(log))
        self._loop = EventLoop("xsk-plugin", changed)
        self._lock = self._loop.lock
        self._loop.at(self._log.deadline, self._log.tell)
        self._door = Door(self._loop, shared)
        self._loop.at(lambda: NOW if self._changed else None, self._try_all_again)
        self._connections = Connections[PluginConnection](self._loop, shared)
        self._loop.at(self._needs, self._tell_needs)
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
            wanted = {self._place / name / SOCKET: name for name in self._grants}
            for path in self._door.paths() - wanted.keys():
                self._door.shut(path)
                with contextlib.suppress(OSError):
                    path.parent.rmdir()
            for path in wanted.keys() - self._door.paths():
                name = wanted[path]
                entrance = Entrance(partial(self._let_in, name), partial(self._turn_away, name))
                self._door.open(path, entrance)
            self._changed = True
        self._loop.wake()

    def asked(self) -> dict[str, str]:
        """By interface, the UID of the pod that has it and waits for a map of its own."""
        with self._lock:
            return {one.interface: one.peer.pod for one in self._in_need()}

    def is_alive(self) -> bool:
        """Whether it still serves; False after a defect."""
        return self._loop.is_alive()

    def close(self) -> None:
        """Stop to serve. Directories stay: clients may have them mounted."""
        self._loop.stop()
        self._release()

    def _release(self) -> None:
        self._door.shut_all()
        self._connections.drop()
        self._log.close()
        self._loop.close()

    def _let_in(self, name: str, channel: Channel) -> None:
        if self._connections.too_many(channel.owner, besides=self._closing.total()):
            words = "map of %s: refused to user %s: TooManyConnections"
            self._log.warning(channel.owner, words, name, channel.peer.uid)
            channel.close()
            return
        granted = self._grants, self._maps
        self._connections.add(PluginConnection(channel, name, granted, self._log))

    def _turn_away(self, name: str, connection: socket.socket, why: str) -> None:
        self._log.warning(UNKNOWN, "map of %s: refused a connection: %s", name, why)
        hang_up(connection, UNKNOWN, self._closing)

    def _try_all_again(self) -> None:
        self._changed = False
        for connection in self._connections:
            if not connection.channel.over:
                self._connections.step(connection, connection.try_again)

    def _in_need(self) -> frozenset[PluginConnection]:
        return frozenset(one for one in self._connections if one.needs_map())

    def _needs(self) -> float | None:
        return None if self._in_need() == self._told else NOW

    def _tell_needs(self) -> None:
        before, self._told = self._told, self._in_need()
        if self._told - before:
            self._tell()
