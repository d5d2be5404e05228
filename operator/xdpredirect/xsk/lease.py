"""One queue in the hands of one client. Made by `leases`."""

import socket
from dataclasses import dataclass

from xdpredirect.xsk import sockets
from xdpredirect.xsk.grants import Grant, Peer
from xdpredirect.xsk.holding import Holding


@dataclass
class Lease:
    """`grants` are those of all rules whose frames of this queue go to the client."""

    grants: tuple[Grant, ...]
    queue: int
    peer: Peer
    socket: socket.socket
    zero_copy: bool
    multi_buffer: bool = False

    @property
    def place(self) -> tuple[str, int]:
        """Interface and queue."""
        return self.grants[0].interface, self.queue

    @property
    def rules(self) -> tuple[tuple[str, str], ...]:
        """Redirect and rule of each grant."""
        return tuple((grant.redirect, grant.rule) for grant in self.grants)

    def look(self) -> Holding:
        """What is known of it, with the socket's statistics of now."""
        return Holding(
            *self.place,
            rules=self.rules,
            peer=self.peer,
            zero_copy=self.zero_copy,
            multi_buffer=self.multi_buffer,
            statistics=sockets.statistics(self.socket.fileno()),
            cookie=sockets.cookie(self.socket),
        )


@dataclass(frozen=True)
class Handed:
    """A new lease, the memfd that goes to the client, to be closed by the caller, and how many
    frames the client may poll for at once."""

    lease: Lease
    memfd: int
    busy_poll: int | None


class Busy(Exception):
    """Another socket has the queue. One whose owner has just ended has it for 40 ms more."""
