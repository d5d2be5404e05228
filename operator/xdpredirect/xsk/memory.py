"""Which sockets were handed out, for the next broker: a file of JSON. Called by `leases`.

A socket outlives the broker that made it, in its client. When it is brought back, its cookie is
what tells it from any other; the kernel gives each to one socket until the next boot.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from xdpredirect.xsk.grants import Grant, Peer

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Remembered:
    """A socket as it was bound, and for whom: `uid` and `pod` as in Peer, `ifindex` and `away` as
    in Grant."""

    cookie: int
    interface: str
    ifindex: int
    queue: int
    uid: int
    pod: str
    # Not there in files of agents to which no socket could be brought.
    away: bool = False

    def is_of(self, peer: Peer) -> bool:
        """Whether it was handed to this user or pod."""
        return (self.uid, self.pod) == (peer.uid, peer.pod)

    def is_for(self, grants: Iterable[Grant]) -> bool:
        """Whether it is of the device of these grants, where that is now; one has one device."""
        return any((g.ifindex, g.away) == (self.ifindex, self.away) for g in grants)


class Memory:
    """What is written in `path`, one socket for a queue. An unreadable file holds none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._boot = _BOOT.read_text().strip()
        self._sockets = {(s.interface, s.queue): s for s in self._read()}

    def all(self) -> tuple[Remembered, ...]:
        """Every one."""
        return tuple(self._sockets.values())

    def of(self, interface: str, queue: int) -> Remembered | None:
        """That of one queue."""
        return self._sockets.get((interface, queue))

    def keep(self, socket: Remembered) -> None:
        """In place of any other of its queue. Raises OSError."""
        self._sockets[(socket.interface, socket.queue)] = socket
        self._write()

    def forget(self, interface: str, queue: int) -> None:
        """Nothing happens when there is none. Raises OSError."""
        if self._sockets.pop((interface, queue), None):
            self._write()

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
