"""One client of the broker: carries out what `protocol` says. Made and called by `server`."""

import time

from xdpredirect.xsk import protocol
from xdpredirect.xsk.channel import Channel
from xdpredirect.xsk.client_log import ClientLog
from xdpredirect.xsk.grants import Refusal
from xdpredirect.xsk.identity import has_ended
from xdpredirect.xsk.lease import Busy, Lease
from xdpredirect.xsk.leases import Leases
from xdpredirect.xsk.messages import (
    Bound,
    Bring,
    Refused,
    Release,
    Return,
    Take,
    Told,
    record,
)
from xdpredirect.xsk.protocol import Ask, HangUp, Log, Send, Step, Talk


class Connection:
    """While it is `waiting` for something nothing is read of it."""

    def __init__(self, channel: Channel, leases: Leases, log: ClientLog) -> None:
        self.channel, self._peer = channel, channel.peer
        self._leases, self._log = leases, log
        self.waiting: Take | Return | Bring | None = None
        self._again = self._asked = 0.0
        self._talk = Talk()
        self._held: dict[tuple[str, int], Lease] = {}

    def reads(self) -> bool:
        """Not while the last record has no answer."""
        return self.waiting is None

    def deadline(self) -> float | None:
        """When it is to be tried again, or the client will have been silent for too long, on the
        monotonic clock."""
        if self.waiting:
            return self._again
        patience = protocol.patience(self._talk)
        return None if patience is None else self.channel.heard + patience

    def read(self) -> None:
        """Take one record and answer it."""
        received = self.channel.receive()
        if received is None:
            return
        try:
            self._carry_out(protocol.receive(self._talk, received))
        finally:
            if not self.waiting:
                self.channel.let_go()

    def expire(self) -> None:
        """That time has come."""
        if self.waiting:
            self._try_again(self.waiting)
        else:
            self._carry_out(protocol.expire(self._talk))

    def withdraw(self, lease: Lease) -> None:
        """Tell the client that its queue was taken back, if it is this one's."""
        if self._held.get(lease.place) is lease:
            del self._held[lease.place]
            self._carry_out(protocol.withdraw(self._talk, *lease.place))

    def close(self) -> None:
        """Everything it holds is given up."""
        try:
            for lease in self._held.values():
                self._say("%s: given up by process %s", lease)
                self._leases.end(lease)
        finally:
            self.channel.close()

    def _try_again(self, question: Take | Return | Bring) -> None:
        if has_ended(self.channel.pidfd):
            # Whoever has the connection now is not the one who asked.
            self.channel.over = True
            return
        self._answer(question)
        if not self.waiting:
            self.channel.let_go()

    def _carry_out(self, step: Step) -> None:
        self._talk = step.talk
        for effect in step.effects:
            match effect:
                case Send(data):
                    self.channel.send(data)
                case Log(name):
                    who = f"process {self._peer.pid} of user {self._peer.uid}"
                    where = self._peer.pod and " in a pod"
                    self._log.info(self.channel.owner, "%s%s says it is %s", who, where, name)
                case HangUp():
                    self.channel.over = True
                case Ask(Release() as release):
                    self._release(release)
                case Ask((Take() | Return() | Bring()) as question):
                    self._asked = time.monotonic()
                    self._answer(question)

    def _answer(self, question: Take | Return | Bring) -> None:
        lease = self._lease(question)
        self.waiting = None
        if isinstance(lease, Refusal):
            if not self._waits(question, lease):
                self._refuse(question, lease)
            return
        self._held[lease.place] = lease
        match question:
            case Take():
                self._say("%s: handed to process %s", lease)
                bound = _bound(question, lease)
                self._talk = protocol.settle(self._talk, question, bound).talk
                self.channel.send(record(bound), lease.socket.fileno(), lease.memfd)
            case Return():
                self._say("%s: brought back by process %s", lease)
                self._carry_out(protocol.settle(self._talk, question, _told("kept", question)))
            case Bring():
                self._say("%s: brought by process %s", lease)
                self._carry_out(protocol.settle(self._talk, question, _told("brought", question)))

    def _lease(self, question: Take | Return | Bring) -> Lease | Refusal:
        place = question.interface, question.queue
        match question:
            case Return():
                return self._leases.resume(self._peer, *place, self.channel.given[0])
            case Bring():
                return self._leases.bring(self._peer, *place, self.channel.given[0])
        try:
            return self._leases.take(self._peer, question)
        except Busy:
            return Refusal("QueueBusy", f"another socket has queue {place[1]} of {place[0]}")

    def _waits(self, question: Take | Return | Bring, why: Refusal) -> bool:
        """Whether it is not to be told so yet."""
        now = time.monotonic()
        pause = protocol.pause(question, why.reason, bool(self._peer.pod), now - self._asked)
        if pause is not None:
            self.waiting, self._again = question, now + pause
        return self.waiting is not None

    def _release(self, release: Release) -> None:
        lease = self._held.pop((release.interface, release.queue))
        self._leases.end(lease)
        self._carry_out(protocol.settle(self._talk, release, _told("released", release)))

    def _refuse(self, question: Take | Return | Bring, refusal: Refusal) -> None:
        place = _name(question.interface, question.queue)
        who = f"process {self._peer.pid} of user {self._peer.uid}"
        words = (place, who, refusal.reason, refusal.sentence)
        self._log.warning(self.channel.owner, "%s: refused to %s: %s: %s", *words)
        refused = Refused(refusal.reason, refusal.sentence)
        self._carry_out(protocol.settle(self._talk, question, refused))

    def _say(self, form: str, lease: Lease) -> None:
        self._log.info(self.channel.owner, form, _name(*lease.place), self._peer.pid)


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
