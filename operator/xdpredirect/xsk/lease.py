"""One queue in the hands of one client. Made by `leases`."""

import os
import socket
from dataclasses import dataclass

from xdpredirect.xsk import sockets
from xdpredirect.xsk.grants import Grant, Peer
from xdpredirect.xsk.holding import Holding
from xdpredirect.xsk.uapi import AF_XDP


@dataclass
class Lease:
    """`grants` are those of all rules whose frames of this queue go to the client."""

    grants: tuple[Grant, ...]
    queue: int
    peer: Peer
    socket: socket.socket
    zero_copy: bool

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
            statistics=sockets.statistics(self.socket.fileno()),
            cookie=sockets.cookie(self.socket),
            away=self.grants[0].away,
        )


def lease_of(fd: int, grants: tuple[Grant, ...], queue: int, peer: Peer) -> Lease:
    """A lease of a duplicate of a client's descriptor, which is one of a bound socket."""
    xsk = socket.socket(AF_XDP, socket.SOCK_RAW, 0, fileno=os.dup(fd))
    try:
        return Lease(grants, queue, peer, xsk, sockets.is_zero_copy(xsk))
    except BaseException:
        xsk.close()
        raise


@dataclass(frozen=True)
class Handed:
    """A new lease, and the memfd that goes to the client, to be closed by the caller."""

    lease: Lease
    memfd: int


class Busy(Exception):
    """Another socket has the queue. One whose owner has just ended has it for 40 ms more."""
