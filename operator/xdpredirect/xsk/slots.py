"""One slot of one rule, filled for a lease or emptied, with the words for what can go wrong.

Called by `leases`.
"""

import errno
import logging

from xdpredirect.errors import XdpRedirectError, errno_name
from xdpredirect.xsk.grants import Grant, Refusal, Slots
from xdpredirect.xsk.lease import Lease

log = logging.getLogger("xdpredirect.xsk")


def fill(slots: Slots, grant: Grant, lease: Lease, again: bool = False) -> Refusal | None:
    """Frames of the lease's queue that the rule takes go to its socket. `again`: it may be there
    since an earlier broker."""
    name = f"rule {grant.rule} of {grant.redirect}"
    try:
        slots.insert(grant, lease.queue, lease.socket.fileno())
    except OSError as error:
        if error.errno != errno.EEXIST:
            return Refusal("SlotFailed", f"{name}: {errno_name(error.errno or 0)}")
        # A queue has one socket, so that what is in the slot since before can be no other one.
        if not again:
            return Refusal("SlotTaken", f"{name} has another socket for the queue")
    except XdpRedirectError as error:
        return Refusal("SlotFailed", f"{name}: {error}")
    return None


def empty(slots: Slots, grant: Grant, queue: int) -> None:
    """Frames of the queue that the rule takes go to nobody. A failure is logged: there is nobody
    who could be told."""
    try:
        slots.remove(grant, queue)
    except (XdpRedirectError, OSError) as error:
        log.error("cannot empty the slot of queue %s of %s: %s", queue, grant.interface, error)
