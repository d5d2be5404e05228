"""Which sockets were handed out, for the next broker: a file of JSON. Called by `leases`.

A socket outlives the broker that made it, in its client. When it is brought back, its cookie is
what tells it from any other; the kernel gives each to one socket until the next boot.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from xdpredirect.xsk import sockets
from xdpredirect.xsk.grants import Grant, Peer
from xdpredirect.xsk.lease import Lease

_BOOT = Path("/proc/sys/kernel/random/boot_id")
log = logging.getLogger("xdpredirect.xsk")


@dataclass(frozen=True)
class Remembered:
    """A socket as it was bound, and for whom: `uid` and `pod` as in Peer, `ifindex` and `away` as
    in Grant. `octets` of memory."""

    cookie: int
    interface: str
    ifindex: int
    queue: int
    uid: int
    pod: str
    # Not there in files of agents that did not know of them.
    multi_buffer: bool = False
    octets: int = 0
    away: bool = False

    def is_of(self, peer: Peer) -> bool:
        """Whether it was handed to this user or pod."""
        return (self.uid, self.pod) == (peer.uid, peer.pod)

    def is_that_of(self, lease: Lease) -> bool:
        """Whether it is the very socket of the lease, for the same peer and device."""
        ours = self.is_of(lease.peer) and self.is_for(lease.grants)
        return ours and self.cookie == sockets.cookie(lease.socket)

    def is_for(self, grants: Iterable[Grant]) -> bool:
        """Whether it is of the device of these grants, where that is now; one has one device."""
        return any((g.ifindex, g.away) == (self.ifindex, self.away) for g in grants)


def remembered(lease: Lease) -> Remembered:
    """Of a socket that is handed out."""
    interface, queue = lease.place
    return Remembered(
        cookie=sockets.cookie(lease.socket),
        interface=interface,
        ifindex=lease.grants[0].ifindex,
        queue=queue,
        uid=lease.peer.uid,
        pod=lease.peer.pod,
        multi_buffer=lease.multi_buffer,
        octets=lease.octets,
        away=lease.grants[0].away,
    )


class Memory:
    """What is written in `path`, one socket for a queue. An unreadable file holds none; one that
    cannot be written is logged once, as a full disk does not get better by a line for each client.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._problem = path, ""
        self._boot = _BOOT.read_text().strip()
        self._sockets = {(s.interface, s.queue): s for s in self._read()}

    def all(self) -> tuple[Remembered, ...]:
        """Every one."""
        return tuple(self._sockets.values())

    def of(self, interface: str, queue: int) -> Remembered | None:
        """That of one queue."""
        return self._sockets.get((interface, queue))

    def keep(self, socket: Remembered) -> None:
        """In place of any other of its queue."""
        self._sockets[(socket.interface, socket.queue)] = socket
        self._try_to_write()

    def forget(self, interface: str, queue: int) -> None:
        """Nothing happens when there is none."""
        if self._sockets.pop((interface, queue), None):
            self._try_to_write()

    def _try_to_write(self) -> None:
        try:
            self._write()
        except OSError as error:
            if str(error) != self._problem:
                log.error("%s; the next agent will not know all sockets", error)
            self._problem = str(error)
        else:
            self._problem = ""

    def _read(self) -> list[Remembered]:
        try:
            found = json.loads(self._path.read_text())
            if found["boot"] != self._boot:
                return []
            return [Remembered(**socket) for socket in found["sockets"]]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            # Clients of sockets that are not remembered take new ones.
            return []

    def _write(self) -> None:
        sockets = [asdict(socket) for socket in self._sockets.values()]
        temporary = self._path.with_name(f".{self._path.name}.tmp")
        # No fsync: after a crash of the machine there are no sockets either.
        temporary.write_text(json.dumps({"boot": self._boot, "sockets": sockets}))
        temporary.chmod(0o600)
        temporary.replace(self._path)
