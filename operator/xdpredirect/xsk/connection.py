"""One client of the broker: carries out what `protocol` says. Made and called by `server`."""

import array
import contextlib
import os
import socket
import time

from xdpredirect.xsk import protocol
from xdpredirect.xsk.client_log import Shared
from xdpredirect.xsk.closing import Closing, Owner
from xdpredirect.xsk.grants import Peer, Refusal
from xdpredirect.xsk.lease import Busy, Lease
from xdpredirect.xsk.leases import Leases
from xdpredirect.xsk.messages import (
    REQUEST_OCTETS,
    Bound,
    Bring,
    Refused,
    Release,
    Return,
    Take,
    Told,
    record,
)
from xdpredirect.xsk.protocol import Ask, HangUp, Log, Received, Send, Step, Talk

_CLOEXEC = 0x40000000  # MSG_CMSG_CLOEXEC
_QUIET = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
_NO_DESCRIPTOR = -1


class Connection:
    """Owns the socket and the pidfd; `over` once it is to be closed. What it is `waiting` for is to
    be tried `again` at that time of the monotonic clock."""

    def __init__(
        self, connection: socket.socket, who: tuple[Peer, int], leases: Leases, shared: Shared
    ) -> None:
        self.socket, self._leases = connection, leases
        self._closing, self._log = shared
        self.peer, self.pidfd = who
        self.over, self.again = False, 0.0
        self.waiting: Take | None = None
        self._talk = Talk()
        self._held: dict[tuple[str, int], Lease] = {}
        self._heard = self._asked = time.monotonic()

    @property
    def owner(self) -> Owner:
        """Whose limits it counts for."""
        return self.peer.uid, self.peer.pod

    def deadline(self) -> float | None:
        """When the client will have been silent for too long, on the monotonic clock."""
        patience = protocol.patience(self._talk)
        return None if patience is None or self.waiting else self._heard + patience

    def read(self) -> None:
        """Take one record and answer it."""
        try:
            received, descriptors = take_record(self.socket)
        except BlockingIOError:
            return
        except OSError:
            self.over = True
            return
        try:
            self._heard = time.monotonic()
            if not received.data:
                # The end of the connection; an empty record looks the same.
                self.over = True
                return
            given = descriptors[0] if descriptors else _NO_DESCRIPTOR
            self._carry_out(protocol.receive(self._talk, received), given)
        finally:
            for descriptor in descriptors:
                self._closing.close(self.owner, descriptor)

    def try_again(self) -> None:
        """To get the queue that was busy."""
        if self.waiting:
            self._take(self.waiting)

    def expire(self) -> None:
        """It was silent for too long."""
        self._carry_out(protocol.expire(self._talk))

    def withdraw(self, lease: Lease) -> None:
        """Tell the client that its queue was taken back, if it is this one's."""
        if self._held.get(lease.place) is lease:
            del self._held[lease.place]
            self._carry_out(protocol.withdraw(self._talk, *lease.place))

    def close(self) -> None:
        """Everything it holds is given up."""
        for lease in self._held.values():
            self._say("%s: given up by process %s", lease)
            self._leases.end(lease)
        self.drop()

    def drop(self) -> None:
        """Close the connection alone; its leases are the caller's."""
        self._held.clear()
        hang_up(self.socket, self.owner, self._closing)
        os.close(self.pidfd)

    def _carry_out(self, step: Step, descriptor: int = _NO_DESCRIPTOR) -> None:
        self._talk = step.talk
        for effect in step.effects:
            match effect:
                case Send(data):
                    self._send(data)
                case Log(name):
                    who = f"process {self.peer.pid} of user {self.peer.uid}"
                    where = self.peer.pod and " in a pod"
                    self._log.info(self.owner, "%s%s says it is %s", who, where, name)
                case HangUp():
                    self.over = True
                case Ask(Take() as take):
                    self._asked = time.monotonic()
                    self._take(take)
                case Ask((Return() | Bring()) as given):
                    self._hold(given, descriptor)
                case Ask(Release() as release):
                    self._release(release)

    def _take(self, take: Take) -> None:
        handed = self._taken(take)
        if isinstance(handed, Refusal):
            now = time.monotonic()
            pause = protocol.pause(handed.reason, bool(self.peer.pod), now - self._asked)
            if pause is not None:
                self.waiting, self.again = take, now + pause
                return
            self.waiting = None
            self._refuse(take, handed)
            return
        self.waiting = None
        self._held[handed.place] = handed
        self._say("%s: handed to process %s", handed)
        bound = _bound(take, handed)
        step = protocol.settle(self._talk, take, bound)
        self._talk = step.talk
        self._send(record(bound), handed.socket.fileno(), handed.memfd)

    def _taken(self, take: Take) -> Lease | Refusal:
        try:
            return self._leases.take(self.peer, take)
        except Busy:
            words = f"another socket has queue {take.queue} of {take.interface}"
            return Refusal("QueueBusy", words)

    def _hold(self, given: Return | Bring, descriptor: int) -> None:
        again = isinstance(given, Return)
        hold = self._leases.resume if again else self._leases.bring
        lease = hold(self.peer, given.interface, given.queue, descriptor)
        if isinstance(lease, Refusal):
            self._refuse(given, lease)
            return
        self._held[lease.place] = lease
        self._say("%s: brought back by process %s" if again else "%s: brought by process %s", lease)
        told = _told("kept" if again else "brought", given)
        self._carry_out(protocol.settle(self._talk, given, told))

    def _release(self, release: Release) -> None:
        lease = self._held.pop((release.interface, release.queue))
        self._leases.end(lease)
        self._carry_out(protocol.settle(self._talk, release, _told("released", release)))

    def _refuse(self, question: Take | Return | Bring, refusal: Refusal) -> None:
        place = _name(question.interface, question.queue)
        who = f"process {self.peer.pid} of user {self.peer.uid}"
        words = (place, who, refusal.reason, refusal.sentence)
        self._log.warning(self.owner, "%s: refused to %s: %s: %s", *words)
        refused = Refused(refusal.reason, refusal.sentence)
        self._carry_out(protocol.settle(self._talk, question, refused))

    def _say(self, form: str, lease: Lease) -> None:
        self._log.info(self.owner, form, _name(*lease.place), self.peer.pid)

    def _send(self, data: bytes, *descriptors: int) -> None:
        try:
            send(self.socket, data, *descriptors)
        except OSError:
            # Gone, or it does not read what it asked for.
            self.over = True


def send(connection: socket.socket, data: bytes, *descriptors: int) -> None:
    """One record, now or never. Raises OSError."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    connection.sendmsg([data], [rights] if descriptors else [], _QUIET)


def send_off(connection: socket.socket, owner: Owner, refused: Refused, closing: Closing) -> None:
    """Refuse a connection and close it."""
    with contextlib.suppress(OSError):
        send(connection, record(refused))
    hang_up(connection, owner, closing)


def hang_up(connection: socket.socket, owner: Owner, closing: Closing) -> None:
    """The client sees the end at once, whatever it has left in the socket."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    closing.close(owner, connection.detach())


def take_record(connection: socket.socket) -> tuple[Received, list[int]]:
    """A record, and its descriptors as a list for the caller to close.

    One that breaks the rules stays in the socket: what is not taken of it the kernel would close,
    here and now.
    """
    room = socket.CMSG_SPACE(array.array("i").itemsize)
    flags = socket.MSG_DONTWAIT | socket.MSG_PEEK | _CLOEXEC
    data, rights, seen, _ = connection.recvmsg(REQUEST_OCTETS, room, flags)
    numbers = array.array("i")
    for level, kind, value in rights:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(value[: len(value) - len(value) % numbers.itemsize])
    cut = bool(seen & (socket.MSG_TRUNC | socket.MSG_CTRUNC))
    if not cut and len(numbers) <= 1:
        connection.recv(REQUEST_OCTETS, socket.MSG_DONTWAIT)
    return Received(data, len(numbers), cut), list(numbers)


def _bound(take: Take, lease: Lease) -> Bound:
    ifindex, transmit = lease.grants[0].ifindex, any(grant.transmit for grant in lease.grants)
    place = (take.interface, ifindex, take.queue)
    size = (take.frames, take.octets)
    wishes = (lease.multi_buffer, lease.busy_poll)
    return Bound(*place, *size, lease.zero_copy, transmit, *wishes)


def _told(what: str, about: Return | Bring | Release) -> Told:
    return Told(what, about.interface, about.queue)


def _name(interface: str, queue: int) -> str:
    return f"socket of queue {queue} of {interface}"
