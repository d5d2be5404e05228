"""The slots of a lease: one for each rule whose frames go to its socket. Called by `leases`."""

import errno
import logging
from collections.abc import Iterable

from xdpredirect.errors import XdpRedirectError, errno_name
from xdpredirect.xsk.grants import Grant, Refusal, Slots
from xdpredirect.xsk.lease import Lease

log = logging.getLogger("xdpredirect.xsk")


class LeaseSlots:
    """`slots` are the XSKMAPs."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def fill(self, lease: Lease, again: bool) -> Refusal | None:
        """Of all its grants, or of none. `again`: an earlier broker may have filled them."""
        filled: list[Grant] = []
        for grant in lease.grants:
            if refusal := self._fill(grant, lease, again):
                self.empty(filled, lease.queue)
                return refusal
            filled.append(grant)
        return None

    def change(self, lease: Lease, now: tuple[Grant, ...]) -> None:
        """To those of the grants that it has now."""
        slots_before = {(grant.redirect, grant.rule) for grant in lease.grants}
        slots_now = {(grant.redirect, grant.rule) for grant in now}
        gone = [g for g in lease.grants if (g.redirect, g.rule) not in slots_now]
        self.empty(gone, lease.queue)
        for grant in now:
            added = (grant.redirect, grant.rule) not in slots_before
            if added and (refusal := self._fill(grant, lease, again=False)):
                log.error("queue %s of %s: %s", lease.queue, grant.interface, refusal.sentence)
        lease.grants = now

    def empty(self, grants: Iterable[Grant], queue: int) -> None:
        """Nothing arrives by these rules any more."""
        for grant in grants:
            try:
                self._slots.remove(grant, queue)
            except (XdpRedirectError, OSError) as error:
                words = "cannot empty the slot of queue %s of %s: %s"
                log.error(words, queue, grant.interface, error)

    def _fill(self, grant: Grant, lease: Lease, again: bool) -> Refusal | None:
        name = f"rule {grant.rule} of {grant.redirect}"
        try:
            self._slots.insert(grant, lease.queue, lease.socket.fileno())
        except OSError as error:
            if error.errno != errno.EEXIST:
                return Refusal("SlotFailed", f"{name}: {errno_name(error.errno or 0)}")
            # A queue has one socket, so that what is in the slot since before can be no other one.
            if not again:
                return Refusal("SlotTaken", f"{name} has another socket for the queue")
        except XdpRedirectError as error:
            return Refusal("SlotFailed", f"{name}: {error}")
        return None
