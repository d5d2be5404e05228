"""One queue in the hands of one client. Made by `leases`."""

import os
import socket
from dataclasses import dataclass

from xdpredirect.xsk import sockets
from xdpredirect.xsk.grants import Grant, Peer
from xdpredirect.xsk.holding import Holding
from xdpredirect.xsk.uapi import AF_XDP
from xdpredirect.xsk.umem import empty

NO_MEMFD = -1


@dataclass
class Lease:
    """`grants` are those of all rules whose frames of this queue go to the client, who may poll for
    `busy_poll` frames at once. `memfd` has the memory of the socket, `octets` long; both are not
    known of a socket that others made."""

    grants: tuple[Grant, ...]
    queue: int
    peer: Peer
    socket: socket.socket
    zero_copy: bool
    multi_buffer: bool = False
    busy_poll: int | None = None
    memfd: int = NO_MEMFD
    octets: int = 0

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
            away=self.grants[0].away,
        )

    def close(self) -> None:
        """Let go of the duplicates; what the client has stays as it is."""
        self.socket.close()
        if self.memfd != NO_MEMFD:
            os.close(self.memfd)
            self.memfd = NO_MEMFD

    def free(self) -> None:
        """Empty the memory, and let go. Nothing receives into it any more. Raises OSError."""
        try:
            if self.memfd != NO_MEMFD:
                empty(self.memfd, self.octets)
        finally:
            self.close()


def lease_of(fd: int, grants: tuple[Grant, ...], queue: int, peer: Peer) -> Lease:
    """A lease of a duplicate of a client's descriptor, which is one of a bound socket."""
    xsk = socket.socket(AF_XDP, socket.SOCK_RAW, 0, fileno=os.dup(fd))
    try:
        return Lease(grants, queue, peer, xsk, sockets.is_zero_copy(xsk))
    except BaseException:
        xsk.close()
        raise


class Busy(Exception):
    """Another socket has the queue. One whose owner has just ended has it for 40 ms more."""
