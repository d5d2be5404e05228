"""The server's half of protocol 0.1 of the AF_XDP device plugin as a state machine: pure.

DPDK (`use_cni=1`) and CNDP speak it. A conversation is about the one device whose socket was
connected to, and its client gets the whole XSKMAP. Called by `plugin_connection`, which carries out
what it answers; what only the kernel or the grants know comes back by `settle`.

    step = receive(Talk("eth0"), Received(b"/connect,pod-1"))
    step.effects == (Ask(Connect("pod-1")),)
    step = settle(step.talk, Connect("pod-1"), granted=True)
    step.effects == (Send(b"/host_ok"),)

The wire is what DPDK 24.11 (drivers/net/af_xdp/rte_eth_af_xdp.c) and CNDP (lib/common/uds) write
and read: one record of ASCII each way, without an end. DPDK takes any answer that sorts behind
/fd_ack for success and goes on with descriptor 0, so a map is never refused by an answer: the
connection ends instead, which DPDK reads as a failure.
"""

import re
from dataclasses import dataclass, replace

from xdpredirect.xsk.protocol import HELLO_SECONDS, IDLE_SECONDS, HangUp, Log, Received, Send

REQUEST_OCTETS = 64
MOST_MESSAGES, MOST_REFUSALS = 4096, 16
"""Of one connection."""
MOST_MICROSECONDS, MOST_BUDGET = 2**31 - 1, 0xFFFF
"""What the kernel takes for SO_BUSY_POLL and SO_BUSY_POLL_BUDGET (net/core/sock.c)."""

_CONNECT = re.compile(rb"/connect,([!-+\--~]{1,64})", re.ASCII)
_BUSY_POLL = re.compile(rb"/config_busy_poll,(0|[1-9][0-9]{0,9}),(0|[1-9][0-9]{0,4})", re.ASCII)
_MAP = b"/xsk_map_fd"


@dataclass(frozen=True)
class Connect:
    """May this process have the device? `name` is what it calls its host; it counts for nothing."""

    name: str


@dataclass(frozen=True)
class WholeMap:
    """The descriptor of the device's XSKMAP, to go with the answer."""


@dataclass(frozen=True)
class BusyPoll:
    """To be set on the AF_XDP socket that came with the record."""

    microseconds: int
    budget: int


Question = Connect | WholeMap | BusyPoll


@dataclass(frozen=True)
class Talk:
    """How far a conversation about `device` has come."""

    device: str
    greeted: bool = False
    messages: int = 0
    refusals: int = 0


@dataclass(frozen=True)
class Ask:
    """To be carried out; whether it was granted goes to `settle`."""

    question: Question


Effect = Send | Ask | Log | HangUp


@dataclass(frozen=True)
class Step:
    """The state after an event, and what is to be done because of it, in order."""

    talk: Talk
    effects: tuple[Effect, ...] = ()


def receive(talk: Talk, received: Received) -> Step:
    """After one record."""
    talk = replace(talk, messages=talk.messages + 1)
    if talk.messages > MOST_MESSAGES or received.cut or len(received.data) > REQUEST_OCTETS:
        return Step(talk, (HangUp(),))
    if not talk.greeted:
        found = _CONNECT.fullmatch(received.data)
        question = Connect(found[1].decode()) if found and not received.descriptors else None
        return Step(talk, (Ask(question) if question else HangUp(),))
    return _answer(talk, received)


def settle(talk: Talk, question: Question, granted: bool) -> Step:
    """After a question was carried out, or refused."""
    match question:
        case Connect(name) if granted:
            return Step(replace(talk, greeted=True), (Log(name), Send(b"/host_ok")))
        case Connect(name):
            return Step(talk, (Log(name), Send(b"/host_nak"), HangUp()))
        case WholeMap() if granted:
            return Step(talk, (Send(b"/fd_ack"),))
        case WholeMap():
            return Step(talk, (HangUp(),))
        case BusyPoll() if granted:
            return Step(talk, (Send(b"/config_busy_poll_ack"),))
    return _refuse(talk, b"/config_busy_poll_nak")


def patience(talk: Talk) -> float:
    """Seconds that may pass until the next record, after which the connection ends."""
    return IDLE_SECONDS if talk.greeted else HELLO_SECONDS


def _answer(talk: Talk, received: Received) -> Step:
    data = received.data
    if found := _BUSY_POLL.fullmatch(data):
        return _busy_poll(talk, int(found[1]), int(found[2]), received.descriptors)
    if received.descriptors:
        return Step(talk, (HangUp(),))
    if data == b"/version":
        return Step(talk, (Send(b"0.1"),))
    if data == b"/fin":
        return Step(talk, (Send(b"/fin_ack"), HangUp()))
    if data.partition(b",")[0] == _MAP:
        wanted = data == _MAP + b"," + talk.device.encode()
        return Step(talk, (Ask(WholeMap()) if wanted else HangUp(),))
    return _refuse(talk, b"/nak")


def _busy_poll(talk: Talk, microseconds: int, budget: int, descriptors: int) -> Step:
    if descriptors != 1 or microseconds > MOST_MICROSECONDS or not 0 < budget <= MOST_BUDGET:
        return _refuse(talk, b"/config_busy_poll_nak")
    return Step(talk, (Ask(BusyPoll(microseconds, budget)),))


def _refuse(talk: Talk, answer: bytes) -> Step:
    talk = replace(talk, refusals=talk.refusals + 1)
    last = (HangUp(),) if talk.refusals >= MOST_REFUSALS else ()
    return Step(talk, (Send(answer), *last))
