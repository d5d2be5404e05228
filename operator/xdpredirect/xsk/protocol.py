"""The broker's half of a conversation as a state machine: pure. docs/protocol.md specifies it.

Called by `connection` with what came in; it answers with what is to be done. What only the kernel
knows, whether a queue can be had, comes back as an outcome.

    step = receive(step.talk, Received(b"take eth0 0 2048 2048", descriptors=0))
    step.effects == (Ask(Take("eth0", 0, 2048, 2048)),)
    step = settle(step.talk, question, Refused("NotGranted", "..."))
    step.effects == (Send(b"refused NotGranted ..."),)
"""

from dataclasses import dataclass, replace

from xdpredirect.xsk.messages import (
    REQUEST_OCTETS,
    VERSION,
    Bound,
    Bring,
    Hello,
    Refused,
    Release,
    Return,
    Take,
    Told,
    busy_poll_problem,
    read_request,
    record,
    size_problem,
)

HELLO_SECONDS, IDLE_SECONDS = 5.0, 30.0
"""Until the first record; and without one while no queue is held."""
MOST_MESSAGES, MOST_REFUSALS, MOST_QUEUES = 4096, 16, 64
"""Of one connection."""

PATIENCE_SECONDS = 5.0
"""So long a client is kept waiting for what may be there in a moment: a queue is free 25 to 40 ms
after its owner has ended, on a busy machine later, and a pod may run before this node is told of
it."""
_FIRST_SECONDS, _LONGEST_SECONDS = 0.01, 0.25

Question = Take | Return | Bring | Release
Outcome = Bound | Told | Refused


@dataclass(frozen=True)
class Received:
    """One record. `cut`: it was longer than `data`, or brought more descriptors than were taken."""

    data: bytes
    descriptors: int = 0
    cut: bool = False


@dataclass(frozen=True)
class Talk:
    """How far a conversation has come. `held` are its queues, by interface."""

    greeted: bool = False
    messages: int = 0
    refusals: int = 0
    held: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True)
class Send:
    """A record for the client; one that says `bound` takes the two descriptors along."""

    data: bytes


@dataclass(frozen=True)
class Ask:
    """To be carried out; the outcome goes to `settle`."""

    question: Question


@dataclass(frozen=True)
class Log:
    """What the client calls itself."""

    name: str


@dataclass(frozen=True)
class HangUp:
    """The conversation is over; whatever it holds is given up."""


Effect = Send | Ask | Log | HangUp


@dataclass(frozen=True)
class Step:
    """The state after an event, and what is to be done because of it, in order."""

    talk: Talk
    effects: tuple[Effect, ...] = ()


def receive(talk: Talk, received: Received) -> Step:
    """After one record."""
    talk = replace(talk, messages=talk.messages + 1)
    if talk.messages > MOST_MESSAGES:
        return _end(talk, "TooManyMessages", f"a connection has {MOST_MESSAGES} at most")
    if received.cut:
        words = f"a record has {REQUEST_OCTETS} octets and one descriptor at most"
        return _end(talk, "TooLong", words)
    request = read_request(received.data)
    if request is None:
        return _end(talk, "Malformed", "this is no record of the protocol")
    if received.descriptors != isinstance(request, Return | Bring):
        words = "return and bring come with one descriptor, and no other does"
        return _end(talk, "WrongDescriptors", words)
    if isinstance(request, Hello):
        return _greet(talk, request)
    if not talk.greeted:
        return _end(talk, "NoHello", "the first record must be hello")
    return _ask(talk, request)


def settle(talk: Talk, question: Question, outcome: Outcome) -> Step:
    """After a question was carried out, or refused."""
    place = (question.interface, question.queue)
    if isinstance(outcome, Refused):
        return _refuse(talk, outcome)
    held = talk.held - {place} if isinstance(question, Release) else talk.held | {place}
    return Step(replace(talk, held=held), (Send(record(outcome)),))


def withdraw(talk: Talk, interface: str, queue: int) -> Step:
    """After a queue was taken back by the broker."""
    talk = replace(talk, held=talk.held - {(interface, queue)})
    return Step(talk, (Send(record(Told("withdrawn", interface, queue))),))


def patience(talk: Talk) -> float | None:
    """Seconds that may pass until the next record; None for ever."""
    if not talk.greeted:
        return HELLO_SECONDS
    return None if talk.held else IDLE_SECONDS


def pause(question: Question, reason: str, in_pod: bool, waited: float) -> float | None:
    """Seconds until a `take` or `bring` that was refused for this reason, and has waited for so
    long, is tried again; None when it is refused for good. An attempt may cost milliseconds: the
    longer it has waited the rarer they are."""
    # An object names pods by their labels, and the operator has to see the pod first. Who returns
    # a socket had its grant before, and the broker listens only once it knows all grants.
    soon = reason == "QueueBusy" or (reason == "NotGranted" and in_pod)
    if not isinstance(question, Take | Bring) or not soon or waited >= PATIENCE_SECONDS:
        return None
    return min(max(waited, _FIRST_SECONDS), _LONGEST_SECONDS)


def expire(talk: Talk) -> Step:
    """After they have passed."""
    return _end(talk, "TooSlow", "nothing came in time")


def _greet(talk: Talk, hello: Hello) -> Step:
    if talk.greeted:
        return _end(talk, "Malformed", "hello was said already")
    if hello.version != VERSION:
        return _end(talk, "Version", f"this is version {VERSION} of the protocol")
    welcome = Send(record(Hello(VERSION, "")))
    return Step(replace(talk, greeted=True), (Log(hello.name), welcome))


def _ask(talk: Talk, question: Question) -> Step:
    place = f"queue {question.queue} of {question.interface}"
    held = (question.interface, question.queue) in talk.held
    if isinstance(question, Release):
        if not held:
            return _refuse(talk, Refused("NotHeld", f"{place} is not held by this connection"))
    elif held:
        return _refuse(talk, Refused("AlreadyHeld", f"{place} is held by this connection"))
    elif len(talk.held) >= MOST_QUEUES:
        words = f"a connection holds {MOST_QUEUES} queues at most"
        return _refuse(talk, Refused("TooManyQueues", words))
    elif isinstance(question, Take) and (words := size_problem(question.frames, question.octets)):
        return _refuse(talk, Refused("Size", words))
    elif isinstance(question, Take) and (words := busy_poll_problem(question.busy_poll)):
        return _refuse(talk, Refused("BusyPoll", words))
    return Step(talk, (Ask(question),))


def _refuse(talk: Talk, refused: Refused) -> Step:
    talk = replace(talk, refusals=talk.refusals + 1)
    last = (HangUp(),) if talk.refusals >= MOST_REFUSALS else ()
    return Step(talk, (Send(record(refused)), *last))


def _end(talk: Talk, reason: str, sentence: str) -> Step:
    return Step(talk, (Send(record(Refused(reason, sentence))), HangUp()))
