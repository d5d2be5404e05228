"""What the broker has handed out, for status and losses. Called by `server`."""

from dataclasses import dataclass

from xdpredirect.xsk.grants import Peer
from xdpredirect.xsk.leases import Leases
from xdpredirect.xsk.sockets import statistics
from xdpredirect.xsk.uapi import Statistics


@dataclass(frozen=True)
class Holding:
    """A socket of one queue.

    `rules` are (redirect, rule), of all whose frames go there. A socket that was taken back or
    given up, but is not closed yet, is `releasing`: it gets nothing, and nobody else can have the
    queue; of it nothing but the place is known.
    """

    interface: str
    queue: int
    rules: tuple[tuple[str, str], ...] = ()
    peer: Peer | None = None
    zero_copy: bool = False
    statistics: Statistics | None = None

    @property
    def releasing(self) -> bool:
        """Nobody holds it any more."""
        return self.peer is None


def holdings(leases: Leases) -> tuple[Holding, ...]:
    """In the order of interfaces and queues."""
    found = [
        Holding(
            *lease.place,
            rules=tuple((grant.redirect, grant.rule) for grant in lease.grants),
            peer=lease.peer,
            zero_copy=lease.zero_copy,
            statistics=statistics(lease.socket.fileno()),
        )
        for lease in leases.held()
    ]
    found += [Holding(*place) for place in leases.releasing()]
    return tuple(sorted(found, key=lambda holding: (holding.interface, holding.queue)))
