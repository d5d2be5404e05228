"""What the broker has handed out, for status and losses. Called by `server`."""

from xdpredirect.xsk.holding import Holding
from xdpredirect.xsk.leases import Leases


def holdings(leases: Leases) -> tuple[Holding, ...]:
    """In the order of interfaces and queues."""
    found = [lease.look() for lease in leases.held()]
    found += [
        Holding(*lease.place, rules=lease.rules, peer=lease.peer, zero_copy=lease.zero_copy)
        for lease in leases.releasing()
    ]
    return tuple(sorted(found, key=lambda holding: (holding.interface, holding.queue)))
