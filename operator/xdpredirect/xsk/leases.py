"""The sockets that are handed out, and what becomes of them. Made by `server`, called by
`connection`.

A lease is a queue in the hands of one client. Of each the broker keeps a duplicate descriptor, to
read its statistics; the XSKMAPs are behind `Slots`, and nobody but the agent writes them.
"""

import errno
import logging
from collections import deque
from collections.abc import Callable, Collection
from pathlib import Path

from xdpredirect.xsk import brought, sockets
from xdpredirect.xsk.grants import Grant, Peer, Refusal, Slots, authorise, granted
from xdpredirect.xsk.holding import Holding
from xdpredirect.xsk.lease import NO_MEMFD, Busy, Lease, lease_of
from xdpredirect.xsk.memory import Memory, remembered
from xdpredirect.xsk.memory_limit import memory_left
from xdpredirect.xsk.messages import Take
from xdpredirect.xsk.refused_binds import no_room, refusal_of
from xdpredirect.xsk.slots import LeaseSlots
from xdpredirect.xsk.sockets import Place, Wanted
from xdpredirect.xsk.umem import Size

MOST_ENDED = 1024
"""Of which `counts` will tell; the agent asks after a second at the latest."""
log = logging.getLogger("xdpredirect.xsk")


class Leases:
    """All of one agent, not safe for threads. `memory` is a file of its own.

    `changes` counts how often a queue was taken, given up or found to be free.
    """

    def __init__(self, slots: Slots, memory: Path) -> None:
        self._slots, self._memory = LeaseSlots(slots), Memory(memory)
        # Their pages count for a cgroup that this agent does not see.
        self._inherited = frozenset(known.cookie for known in self._memory.all())
        self._grants: tuple[Grant, ...] = ()
        self._held: dict[tuple[str, int], Lease] = {}
        self._releasing: dict[Place, Lease] = {}
        self._ended: deque[Holding] = deque(maxlen=MOST_ENDED)
        self.changes = 0

    def held(self) -> tuple[Lease, ...]:
        """Every lease."""
        return tuple(self._held.values())

    def releasing(self) -> tuple[Lease, ...]:
        """Of sockets that get nothing any more, but that their clients have not closed either."""
        return tuple(self._releasing.values())

    def counts(self) -> tuple[Holding, ...]:
        """Every lease there is, and those that have ended since the last call, as they were then:
        what a socket has lost is known as long as it is open."""
        ended = tuple(self._ended)
        self._ended.clear()
        return (*ended, *(lease.look() for lease in self.held()))

    def take(self, peer: Peer, wanted: Take) -> Lease | Refusal:
        """A socket for the peer, already in its slots. Raises Busy."""
        grants = self._authorised(peer, wanted.interface, wanted.queue)
        if isinstance(grants, Refusal):
            return grants
        if grants[0].away:
            return brought.NOT_HERE
        place = Place(grants[0].ifindex, wanted.queue)
        size = Size(wanted.frames, wanted.octets)
        if refusal := self._no_room(size.total):
            return refusal
        transmit = any(grant.transmit for grant in grants)
        how = Wanted(grants[0].copy_mode, transmit, wanted.multi_buffer, wanted.busy_poll)
        try:
            made = sockets.open_bound(place, size, how)
        except sockets.RingsUnmappable:
            return Refusal("KernelTooOld", "it cannot share the rings of a bound socket")
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise Busy from error
            return refusal_of(error)
        self._free(place)
        lease = Lease(
            *(grants, wanted.queue, peer, made.socket, sockets.is_zero_copy(made.socket)),
            multi_buffer=made.multi_buffer,
            busy_poll=made.busy_poll,
            memfd=made.memfd,
            octets=size.total,
        )
        if refusal := self._begin(lease):
            lease.close()
            return refusal
        return lease

    def resume(self, peer: Peer, interface: str, queue: int, fd: int) -> Lease | Refusal:
        """Hold again what an earlier broker handed to the peer. `fd` stays the caller's."""
        grants = self._authorised(peer, interface, queue)
        if isinstance(grants, Refusal):
            return grants
        netns = peer.netns if grants[0].away else sockets.own_netns()
        if problem := sockets.problem_of(fd, netns):
            return problem
        lease = lease_of(fd, grants, queue, peer)
        return self._try(lease, lambda: self._recognise(lease), again=True)

    def bring(self, peer: Peer, interface: str, queue: int, fd: int) -> Lease | Refusal:
        """Hold what the peer has made where the device is, and put it into its slots. `fd` stays
        the caller's."""
        grants = self._authorised(peer, interface, queue)
        if isinstance(grants, Refusal):
            return grants
        if problem := brought.problem_of(fd, peer, grants):
            return problem
        lease = lease_of(fd, grants, queue, peer)
        return self._try(lease, lambda: brought.mismatch(lease))

    def _try(
        self, lease: Lease, problem: Callable[[], Refusal | None], again: bool = False
    ) -> Lease | Refusal:
        """Begin the lease unless there is a problem; its duplicate is closed when there is one."""
        try:
            refusal = problem() or self._begin(lease, again)
        except BaseException:
            lease.socket.close()
            raise
        if refusal:
            lease.socket.close()
        return refusal or lease

    def _recognise(self, returned: Lease) -> Refusal | None:
        """Whether it is what was handed out; says how it was bound, which the kernel tells not."""
        known = self._memory.of(*returned.place)
        if known is None or not known.is_that_of(returned):
            return Refusal("UnknownSocket", "this is not the socket that was bound to the queue")
        returned.octets, returned.multi_buffer = known.octets, known.multi_buffer
        if not sockets.can_transmit(returned.socket.fileno()):
            return None
        if any(grant.transmit for grant in returned.grants):
            return None
        self.end(returned)
        return Refusal("NotGranted", "the socket can transmit, which is not granted any more")

    def end(self, lease: Lease) -> None:
        """Its slots are emptied first, so that nothing arrives any more, then the duplicate goes.
        The queue is free once the client has closed its own."""
        self._slots.empty(lease.grants, lease.queue)
        self._ended.append(lease.look())
        lease.socket.close()
        self._held.pop(lease.place, None)
        if not lease.grants[0].away:
            # Elsewhere nobody can see from here whether a queue is free.
            place = Place(lease.grants[0].ifindex, lease.queue)
            self._free(place)
            self._releasing[place] = lease
        self.changes += 1
        self._memory.forget(*lease.place)

    def update(self, grants: Collection[Grant]) -> tuple[Lease, ...]:
        """These are the grants from now on. Returns the leases that ended by it."""
        self._grants = tuple(grants)
        ended = tuple(lease for lease in self.held() if not self._keep(lease))
        for lease in ended:
            self.end(lease)
        self._forget_strays()
        return ended

    def look_at_releasing(self) -> None:
        """Which of them are free by now."""
        for place in [place for place in self._releasing if sockets.is_free(place)]:
            self._free(place)
            self.changes += 1

    def close(self) -> None:
        """Let go of all duplicates. Clients keep their sockets, and those their slots."""
        self.look_at_releasing()
        for lease in (*self.held(), *self.releasing()):
            lease.close()
        self._held.clear()
        self._releasing.clear()

    def _free(self, place: Place) -> None:
        """The client has closed the socket, so that the memory can go as well."""
        if lease := self._releasing.pop(place, None):
            try:
                lease.free()
            except OSError as error:
                name = f"queue {lease.queue} of {lease.place[0]}"
                log.error("cannot free the memory of %s: %s", name, error)

    def _no_room(self, octets: int) -> Refusal | None:
        """Why there is no memory for a UMEM."""
        if no_room(octets + self._of_inherited(), left := memory_left()) is None:
            return None
        for known in self._memory.all():
            place = Place(known.ifindex, known.queue)
            if (known.interface, known.queue) not in self._held and sockets.is_free(place):
                self._memory.forget(known.interface, known.queue)
        return no_room(octets + self._of_inherited(), left)

    def _of_inherited(self) -> int:
        known = [s.octets for s in self._memory.all() if s.cookie in self._inherited]
        return sum(known) + sum(s.octets for s in self.releasing() if s.memfd == NO_MEMFD)

    def _authorised(self, peer: Peer, interface: str, queue: int) -> tuple[Grant, ...] | Refusal:
        answer = authorise(peer, self._grants, interface, queue)
        if isinstance(answer, Refusal):
            return answer
        if other := self._held.get((interface, queue)):
            words = f"queue {queue} of {interface} is held by process {other.peer.pid}"
            return Refusal("QueueTaken", words)
        return granted(peer, self._grants, interface, queue)

    def _begin(self, lease: Lease, again: bool = False) -> Refusal | None:
        """Fill its slots, all or none."""
        if refusal := self._slots.fill(lease, again):
            return refusal
        self._memory.keep(remembered(lease))
        self._held[lease.place] = lease
        self.changes += 1
        return None

    def _keep(self, lease: Lease) -> bool:
        """Whether the lease goes on; its slots are then those of the grants that it has now."""
        now = granted(lease.peer, self._grants, *lease.place)
        before = lease.grants[0]
        if not now or (now[0].ifindex, now[0].away) != (before.ifindex, before.away):
            return False
        if sockets.can_transmit(lease.socket.fileno()) and not any(grant.transmit for grant in now):
            return False
        self._slots.change(lease, now)
        return True

    def _forget_strays(self) -> None:
        """Sockets of an earlier broker whose clients have lost the grant in the meantime."""
        for known in self._memory.all():
            peer = Peer(0, known.uid, known.pod)
            place = (known.interface, known.queue)
            if place in self._held or known.is_for(granted(peer, self._grants, *place)):
                continue
            # One that was moved has the name that it had, one that was renamed the number.
            of_queue = [
                grant
                for grant in self._grants
                if (known.interface == grant.interface or known.is_for([grant]))
                and known.queue in grant.queues
            ]
            self._slots.empty(of_queue, known.queue)
            self._memory.forget(*place)
