"""Protocol 0.1 of the AF_XDP device plugin: what DPDK and CNDP say, every refusal, and 10,000 times
garbage."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from xdpredirect.xsk import device_plugin
from xdpredirect.xsk.connections import MOST_CONNECTIONS, MOST_OF_PEER
from xdpredirect.xsk.device_plugin import (
    MOST_MESSAGES,
    MOST_REFUSALS,
    REQUEST_OCTETS,
    Ask,
    BusyPoll,
    Connect,
    Talk,
    WholeMap,
    patience,
    receive,
    settle,
)
from xdpredirect.xsk.protocol import HELLO_SECONDS, IDLE_SECONDS, HangUp, Log, Received, Send

NEW = Talk("eth0")
GREETED = Talk("eth0", greeted=True)
MAP = b"/xsk_map_fd,eth0"
ENDED = (HangUp(),)


def said(talk: Talk, records: list[Received]) -> list[bytes | None]:
    """What a client that is granted everything is answered; None is the end."""
    answers: list[bytes | None] = []
    for record in records:
        step = receive(talk, record)
        for effect in step.effects:
            if isinstance(effect, Ask):
                step = settle(step.talk, effect.question, granted=True)
        answers += [effect.data for effect in step.effects if isinstance(effect, Send)]
        answers += [None for effect in step.effects if isinstance(effect, HangUp)]
        talk = step.talk
    return answers


def test_what_dpdk_says() -> None:
    # rte_eth_af_xdp.c, uds_get_xskmap_fd: snprintf() cuts the first at 63 octets.
    first = b"/connect," + b"h" * 54
    records = [Received(data) for data in (first, b"/version", MAP, b"/fin")]
    assert said(NEW, records) == [b"/host_ok", b"0.1", b"/fd_ack", b"/fin_ack", None]


def test_what_cndp_says() -> None:
    records = [
        Received(b"/connect,pod-1"),
        Received(MAP),
        Received(b"/config_busy_poll,20,64", descriptors=1),
        Received(b"/fin"),
    ]
    answers = [b"/host_ok", b"/fd_ack", b"/config_busy_poll_ack", b"/fin_ack", None]
    assert said(NEW, records) == answers


def test_the_name_is_logged_whatever_comes_of_it() -> None:
    for granted, answer in ((True, b"/host_ok"), (False, b"/host_nak")):
        step = settle(NEW, Connect("root"), granted)
        assert step.effects[:2] == (Log("root"), Send(answer))
        assert step.talk.greeted == granted
        assert (HangUp() in step.effects) != granted


def test_a_map_is_never_refused_by_an_answer() -> None:
    """DPDK takes whatever sorts behind /fd_ack for success (check_response)."""
    assert settle(GREETED, WholeMap(), granted=False).effects == ENDED
    for data in (b"/xsk_map_fd", b"/xsk_map_fd,eth1", b"/xsk_map_fd,eth0 ", MAP + b",0"):
        assert receive(GREETED, Received(data)).effects == ENDED


@pytest.mark.parametrize(
    "received",
    [
        Received(b"/version"),
        Received(MAP),
        Received(b"/connect"),
        Received(b"/connect,"),
        Received(b"/connect,a,b"),
        Received(b"/connect, a"),
        Received(b"/connect,a\0"),
        Received(b"/connect,a\n"),
        Received(b"x/connect,a"),
        Received(b"/connect,a", descriptors=1),
        Received(b"/connect," + b"h" * 64),
    ],
)
def test_who_does_not_say_who_it_is_is_hung_up_on(received: Received) -> None:
    assert receive(NEW, received).effects == ENDED


@pytest.mark.parametrize(
    ("talk", "received"),
    [
        (GREETED, Received(b"/version", cut=True)),
        (GREETED, Received(b"/version" + b" " * 64)),
        (GREETED, Received(MAP, descriptors=1)),
        (replace(GREETED, messages=MOST_MESSAGES), Received(b"/version")),
    ],
)
def test_who_breaks_the_limits_is_hung_up_on(talk: Talk, received: Received) -> None:
    assert receive(talk, received).effects == ENDED


@pytest.mark.parametrize(
    ("data", "descriptors"),
    [
        (b"/config_busy_poll,20,64", 0),
        (b"/config_busy_poll,20,64", 2),
        (b"/config_busy_poll,20,0", 1),
        (b"/config_busy_poll,20,65536", 1),
        (b"/config_busy_poll,2147483648,64", 1),
    ],
)
def test_busy_polling_that_no_kernel_takes_is_refused(data: bytes, descriptors: int) -> None:
    step = receive(GREETED, Received(data, descriptors))
    assert step.effects == (Send(b"/config_busy_poll_nak"),)


def test_busy_polling_that_the_kernel_refuses() -> None:
    step = settle(GREETED, BusyPoll(20, 64), granted=False)
    assert step.effects == (Send(b"/config_busy_poll_nak"),)


@pytest.mark.parametrize(
    "data", [b"/xsk_socket,eth0", b"/versions", b"/config_busy_poll,-1,64", b"/connect,a", b"?"]
)
def test_anything_else_is_no_request_and_too_much_of_it_the_end(data: bytes) -> None:
    talk = GREETED
    for number in range(1, MOST_REFUSALS + 1):
        step = receive(talk, Received(data))
        assert step.effects[0] == Send(b"/nak")
        assert (HangUp() in step.effects) == (number == MOST_REFUSALS)
        talk = step.talk


def test_patience() -> None:
    assert (patience(NEW), patience(GREETED)) == (5.0, 30.0)


def test_the_page_says_so() -> None:
    text = (Path(__file__).parents[3] / "docs/dpdk.md").read_text()
    limits = [
        f"| until `/connect`, between two records | {HELLO_SECONDS:g} s, {IDLE_SECONDS:g} s |",
        f"| records, refusals of a connection | {MOST_MESSAGES}, {MOST_REFUSALS} |",
        f"| connections of a user, of all | {MOST_OF_PEER}, {MOST_CONNECTIONS} |",
        f"{REQUEST_OCTETS} octets at most",
    ]
    assert not [line for line in limits if line not in text]
    rows = re.findall(r"^\| `(/[^`]+)`.*?\|.*?\| (.*?) \|", text, re.MULTILINE)
    values = {"NAME": "a", "DEVICE": "eth0", "MICROSECONDS": "20", "BUDGET": "64"}
    for request, answers in rows:
        record = re.sub("[A-Z_]{4,}", lambda word: values[word[0]], request).encode()
        talk = NEW if record.startswith(b"/connect") else GREETED
        (first, *_) = said(talk, [Received(record, descriptors=b"busy" in record)])
        assert first is not None
        assert answers.startswith(f"`{first.decode()}`"), request
    assert len(rows) == 5


WHOLE = (b"/connect,a", b"/version", MAP, b"/config_busy_poll,20,64", b"/fin")
WORDS = (*(word.partition(b",")[0] for word in WHOLE), b",", b"eth0", b"20", b"", b"\0", b"\xff")


def garbage(generator: random.Random) -> Received:
    """Octets at random, words of the protocol in any order, or a record, at times changed."""
    kind = generator.choice((0, 1, 2, 3, 3, 3))
    if kind == 0:
        data = generator.randbytes(generator.randrange(0, 100))
    elif kind == 1:
        data = b"".join(generator.choices(WORDS, k=generator.randrange(0, 6)))
    else:
        changed = bytearray(generator.choice(WHOLE))
        if kind == 2:
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        data = bytes(changed)
    return Received(data, generator.choice((0, 0, 0, 1, 2)), generator.random() < 0.05)


def check(talk: Talk, received: Received, step: device_plugin.Step) -> None:
    """What must hold after any record whatever."""
    assert step.talk.messages == talk.messages + 1
    assert step.effects
    assert step.talk.device == talk.device
    assert step.talk.greeted == talk.greeted
    asked = [effect.question for effect in step.effects if isinstance(effect, Ask)]
    assert len(asked) <= 1
    if WholeMap() in asked:
        assert talk.greeted
        assert received == Received(MAP)
    if any(isinstance(question, BusyPoll) for question in asked):
        assert talk.greeted
        assert received.descriptors == 1
    sent = [effect.data for effect in step.effects if isinstance(effect, Send)]
    # DPDK writes a NUL behind what it reads into 128 octets.
    assert all(len(data) < 128 for data in sent)
    assert b"/fd_ack" not in sent
    assert not received.cut or step.effects == ENDED


def test_ten_thousand_times_garbage() -> None:
    generator = random.Random(20261)
    talk, maps, polls, ended, greeted = NEW, 0, 0, 0, 0
    for _ in range(10_000):
        received = garbage(generator)
        step = receive(talk, received)
        check(talk, received, step)
        effects = step.effects
        for effect in step.effects:
            if isinstance(effect, Ask):
                maps += isinstance(effect.question, WholeMap)
                polls += isinstance(effect.question, BusyPoll)
                greeted += isinstance(effect.question, Connect)
                step = settle(step.talk, effect.question, generator.random() < 0.9)
                effects = step.effects
        talk = step.talk
        if HangUp() in effects:
            ended += 1
            talk = replace(NEW, greeted=generator.random() < 0.5)
    # It has seen all kinds, or it would prove nothing.
    assert min(maps, polls, ended, greeted) > 100, (maps, polls, ended, greeted)
