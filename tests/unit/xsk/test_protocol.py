"""The broker's half of a conversation: every step, every limit, and 10,000 times garbage."""

import random
from dataclasses import replace

import pytest

from xdpredirect.xsk import protocol
from xdpredirect.xsk.messages import Bound, Bring, Refused, Release, Return, Take, Told, read_reply
from xdpredirect.xsk.protocol import (
    MOST_MESSAGES,
    MOST_QUEUES,
    MOST_REFUSALS,
    Ask,
    HangUp,
    Log,
    Received,
    Send,
    Talk,
    expire,
    patience,
    receive,
    settle,
    withdraw,
)

TAKE = Take("eth0", 0, 2048, 2048)
BRING, RETURN = Bring("eth0", 0), Return("eth0", 0)
GREETED = Talk(greeted=True)
HOLDING = Talk(greeted=True, held=frozenset({("eth0", 0)}))
BOUND = Bound("eth0", 4, 0, 2048, 2048, False, False)


def refusal(effects: tuple[protocol.Effect, ...]) -> str:
    """The reason of the one record that is sent, empty without one."""
    reasons = []
    for effect in effects:
        if isinstance(effect, Send):
            reply = read_reply(effect.data)
            assert isinstance(reply, Refused)
            reasons.append(reply.reason)
    assert len(reasons) == 1
    return reasons[0]


def test_hello_is_answered_and_its_name_only_logged() -> None:
    step = receive(Talk(), Received(b"hello 1 root"))
    assert step.talk == Talk(greeted=True, messages=1)
    assert step.effects == (Log("root"), Send(b"hello 1"))


def test_taking_holding_and_releasing() -> None:
    step = receive(GREETED, Received(b"take eth0 0 2048 2048"))
    assert step.effects == (Ask(TAKE),)
    step = settle(step.talk, TAKE, BOUND)
    assert step.effects == (Send(b"bound eth0 4 0 2048 2048 copy receive"),)
    assert step.talk.held == {("eth0", 0)}
    step = receive(step.talk, Received(b"release eth0 0"))
    release = Release("eth0", 0)
    assert step.effects == (Ask(release),)
    step = settle(step.talk, release, Told("released", "eth0", 0))
    assert step.effects == (Send(b"released eth0 0"),)
    assert not step.talk.held


def test_returning_a_socket() -> None:
    given = Return("eth0", 0)
    step = receive(GREETED, Received(b"return eth0 0", descriptors=1))
    assert step.effects == (Ask(given),)
    assert settle(step.talk, given, Told("kept", "eth0", 0)).talk.held == {("eth0", 0)}


def test_bringing_a_socket() -> None:
    given = Bring("eth0", 0)
    step = receive(GREETED, Received(b"bring eth0 0", descriptors=1))
    assert step.effects == (Ask(given),)
    step = settle(step.talk, given, Told("brought", "eth0", 0))
    assert step.effects == (Send(b"brought eth0 0"),)
    assert step.talk.held == {("eth0", 0)}


def test_what_was_withdrawn_is_held_no_more() -> None:
    step = withdraw(HOLDING, "eth0", 0)
    assert step.effects == (Send(b"withdrawn eth0 0"),)
    assert not step.talk.held


@pytest.mark.parametrize(
    ("talk", "received", "reason"),
    [
        (Talk(), Received(b"take eth0 0 2048 2048"), "NoHello"),
        (Talk(), Received(b"hello 2 a"), "Version"),
        (Talk(), Received(b"GET / HTTP/1.1"), "Malformed"),
        (GREETED, Received(b"hello 1 a"), "Malformed"),
        (GREETED, Received(b"take eth0 0 2048 2048\n"), "Malformed"),
        (GREETED, Received(b"x" * 128, cut=True), "TooLong"),
        (GREETED, Received(b"return eth0 0", descriptors=2), "WrongDescriptors"),
        (GREETED, Received(b"return eth0 0", descriptors=0), "WrongDescriptors"),
        (GREETED, Received(b"bring eth0 0", descriptors=0), "WrongDescriptors"),
        (GREETED, Received(b"take eth0 0 2048 2048", descriptors=1), "WrongDescriptors"),
        (Talk(), Received(b"hello 1 a", descriptors=1), "WrongDescriptors"),
        (GREETED, Received(b"return eth0 0", descriptors=1, cut=True), "TooLong"),
        (replace(GREETED, messages=MOST_MESSAGES), Received(b"release eth0 0"), "TooManyMessages"),
    ],
)
def test_who_breaks_the_protocol_is_hung_up_on(talk: Talk, received: Received, reason: str) -> None:
    step = receive(talk, received)
    assert refusal(step.effects) == reason
    assert step.effects[-1] == HangUp()


@pytest.mark.parametrize(
    ("talk", "received", "reason"),
    [
        (GREETED, Received(b"release eth0 0"), "NotHeld"),
        (HOLDING, Received(b"take eth0 0 2048 2048"), "AlreadyHeld"),
        (HOLDING, Received(b"return eth0 0", descriptors=1), "AlreadyHeld"),
        (HOLDING, Received(b"bring eth0 0", descriptors=1), "AlreadyHeld"),
        (GREETED, Received(b"take eth0 0 2000 2048"), "Size"),
        (GREETED, Received(b"take eth0 0 2048 1500"), "Size"),
        (GREETED, Received(b"take eth0 0 2000 2048 multi-buffer"), "Size"),
        (GREETED, Received(b"take eth0 0 2048 2048 busy-poll 0"), "BusyPoll"),
        (GREETED, Received(b"take eth0 0 2048 2048 busy-poll 65"), "BusyPoll"),
        (
            replace(GREETED, held=frozenset(("e", n) for n in range(MOST_QUEUES))),
            Received(b"take eth0 0 2048 2048"),
            "TooManyQueues",
        ),
    ],
)
def test_who_asks_too_much_is_refused(talk: Talk, received: Received, reason: str) -> None:
    step = receive(talk, received)
    assert refusal(step.effects) == reason
    assert HangUp() not in step.effects
    assert step.talk.held == talk.held


def test_who_is_refused_too_often_is_hung_up_on() -> None:
    talk = GREETED
    for number in range(1, MOST_REFUSALS + 1):
        step = settle(talk, TAKE, Refused("NotGranted", "no"))
        assert (HangUp() in step.effects) == (number == MOST_REFUSALS)
        talk = step.talk


def test_patience_ends_unless_something_is_held() -> None:
    assert patience(Talk()) == 5.0
    assert patience(GREETED) == 30.0
    assert patience(HOLDING) is None
    step = expire(GREETED)
    assert refusal(step.effects) == "TooSlow"
    assert step.effects[-1] == HangUp()


WORDS = (
    *(
        b"hello",
        b"take",
        b"return",
        b"bring",
        b"release",
        b"bound",
        b"1",
        b"0",
        b"2048",
        b"64",
        b"4096",
    ),
    *(b"eth0", b"p1", b"-1", b"00", b"", b"\0", b"\n", b" ", b"\xff\xfe", b"9" * 40, b"../" * 9),
)


def garbage(generator: random.Random) -> Received:
    """Octets at random, words of the protocol in any order, or a record with something changed."""
    kind = generator.randrange(4)
    if kind == 0:
        data = generator.randbytes(generator.randrange(0, 300))
    elif kind == 1:
        data = b" ".join(generator.choices(WORDS, k=generator.randrange(0, 8)))
    else:
        whole = generator.choice(
            (b"hello 1 a", b"take eth0 0 2048 2048", b"return eth0 0", b"bring eth0 0")
        )
        changed = bytearray(whole)
        if kind == 2:
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        data = bytes(changed)
    return Received(data, generator.randrange(3), generator.random() < 0.1)


def check(talk: Talk, received: Received, step: protocol.Step) -> None:
    """What must hold after any record whatever."""
    assert step.talk.messages == talk.messages + 1
    assert step.effects
    assert not talk.greeted or step.talk.greeted
    asked = [effect.question for effect in step.effects if isinstance(effect, Ask)]
    assert len(asked) <= 1
    if asked:
        assert talk.greeted
        assert not received.cut
        assert received.descriptors == isinstance(asked[0], Return | Bring)
        assert 0 <= asked[0].queue < 10000
        assert 1 <= len(asked[0].interface) <= 15
        assert "/" not in asked[0].interface
    sent = [effect.data for effect in step.effects if isinstance(effect, Send)]
    assert all(read_reply(data) is not None and len(data) <= 512 for data in sent)
    assert bool(asked) != bool(sent)


@pytest.mark.parametrize(
    ("question", "reason", "in_pod", "waited", "seconds"),
    [
        (TAKE, "QueueBusy", False, 0.0, 0.01), (TAKE, "QueueBusy", True, 0.04, 0.04),
        (TAKE, "QueueBusy", False, 4.9, 0.25), (TAKE, "QueueBusy", False, 5.0, None),
        (TAKE, "NotGranted", True, 0.0, 0.01), (TAKE, "NotGranted", True, 5.0, None),
        (TAKE, "NotGranted", False, 0.0, None),
        (TAKE, "HostNetwork", True, 0.0, None), (TAKE, "QueueTaken", True, 0.0, None),
        (BRING, "NotGranted", True, 0.0, 0.01), (BRING, "NotGranted", True, 0.04, 0.04),
        (BRING, "NotGranted", True, 4.9, 0.25), (BRING, "NotGranted", True, 5.0, None),
        (BRING, "NotGranted", False, 0.0, None),
        (BRING, "HostNetwork", True, 0.0, None), (BRING, "InterfaceHere", True, 0.0, None),
        (RETURN, "NotGranted", True, 0.0, None),
    ],
)  # fmt: skip
def test_who_is_kept_waiting(
    question: Take | Bring | Return, reason: str, in_pod: bool, waited: float, seconds: float | None
) -> None:
    assert protocol.pause(question, reason, in_pod, waited) == seconds


def test_ten_thousand_times_garbage() -> None:
    generator = random.Random(20260)
    talk, asked, ended, greeted = Talk(), 0, 0, 0
    for _ in range(10_000):
        received = garbage(generator)
        step = receive(talk, received)
        check(talk, received, step)
        greeted += step.talk.greeted and not talk.greeted
        talk = step.talk
        for effect in step.effects:
            if isinstance(effect, Ask):
                asked += 1
                answer = Refused("NotGranted", "no")
                step = settle(talk, effect.question, answer)
                talk = step.talk
        if HangUp() in step.effects:
            ended += 1
            # As the broker does, with the next conversation.
            talk = Talk(greeted=generator.random() < 0.5)
    # It has seen all kinds, or it would prove nothing.
    assert min(asked, ended, greeted) > 100, (asked, ended, greeted)


def test_a_megabyte_is_cut_and_not_read() -> None:
    assert refusal(receive(GREETED, Received(b"take " * 200_000)).effects) == "Malformed"
