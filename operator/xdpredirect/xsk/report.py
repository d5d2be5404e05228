"""What the broker has handed out, for status and losses. Called by `server`."""

from xdpredirect.xsk.holding import Holding
from xdpredirect.xsk.leases import Lease, Leases
from xdpredirect.xsk.sockets import statistics


def holdings(leases: Leases) -> tuple[Holding, ...]:
    """In the order of interfaces and queues."""
    found = [
        Holding(
            *lease.place,
            rules=_rules(lease),
            peer=lease.peer,
            zero_copy=lease.zero_copy,
            statistics=statistics(lease.socket.fileno()),
        )
        for lease in leases.held()
    ]
    found += [Holding(*lease.place, rules=_rules(lease)) for lease in leases.releasing()]
    return tuple(sorted(found, key=lambda holding: (holding.interface, holding.queue)))


def _rules(lease: Lease) -> tuple[tuple[str, str], ...]:
    return tuple((grant.redirect, grant.rule) for grant in lease.grants)
