"""The sockets that are handed out, and what becomes of them. Called by `server`.

A lease is a queue in the hands of one client. Of each the broker keeps a duplicate descriptor, to
read its statistics; the XSKMAPs are behind `Slots`, and nobody but the agent writes them.
"""

import errno
import logging
import os
import socket
from collections import deque
from collections.abc import Collection
from pathlib import Path

from xdpredirect.xsk import sockets
from xdpredirect.xsk.grants import Grant, Peer, Refusal, Slots, authorise, granted
from xdpredirect.xsk.holding import Holding
from xdpredirect.xsk.lease import NO_MEMFD, Busy, Lease
from xdpredirect.xsk.memory import Memory, Remembered
from xdpredirect.xsk.memory_limit import memory_left
from xdpredirect.xsk.messages import Take
from xdpredirect.xsk.refused_binds import no_room, refusal_of
from xdpredirect.xsk.slots import LeaseSlots
from xdpredirect.xsk.sockets import Place, Wanted
from xdpredirect.xsk.uapi import AF_XDP
from xdpredirect.xsk.umem import Size

MOST_ENDED = 1024
"""Of which `counts` will tell; the agent asks after a second at the latest."""
log = logging.getLogger("xdpredirect.xsk")


class Leases:
    """All of one network namespace, not safe for threads. `memory` is a file of its own.

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
        if problem := sockets.problem_of(fd):
            return problem
        xsk = socket.socket(AF_XDP, socket.SOCK_RAW, 0, fileno=os.dup(fd))
        try:
            lease = Lease(grants, queue, peer, xsk, sockets.is_zero_copy(xsk))
            refusal = self._recognise(lease) or self._begin(lease, again=True)
        except BaseException:
            xsk.close()
            raise
        if refusal:
            xsk.close()
        return refusal or lease

    def _recognise(self, returned: Lease) -> Refusal | None:
        """Whether it is what was handed out; says how it was bound, which the kernel tells not."""
        known = self._memory.of(*returned.place)
        returned.octets = known.octets if known else 0
        if (
            known is None
            or not known.is_of(returned.peer)
            or known.ifindex != returned.grants[0].ifindex
            or known.cookie != sockets.cookie(returned.socket)
        ):
            return Refusal("UnknownSocket", "this is not the socket that was bound to the queue")
        returned.multi_buffer = known.multi_buffer
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
        interface, queue = lease.place
        ifindex, uid, pod = lease.grants[0].ifindex, lease.peer.uid, lease.peer.pod
        number = sockets.cookie(lease.socket)
        how = (lease.multi_buffer, lease.octets)
        self._memory.keep(Remembered(number, interface, ifindex, queue, uid, pod, *how))
        self._held[lease.place] = lease
        self.changes += 1
        return None

    def _keep(self, lease: Lease) -> bool:
        """Whether the lease goes on; its slots are then those of the grants that it has now."""
        now = granted(lease.peer, self._grants, *lease.place)
        if not now or now[0].ifindex != lease.grants[0].ifindex:
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
            if place in self._held or granted(peer, self._grants, *place):
                continue
            of_queue = [
                grant
                for grant in self._grants
                if grant.ifindex == known.ifindex and known.queue in grant.queues
            ]
            self._slots.empty(of_queue, known.queue)
            self._memory.forget(*place)
