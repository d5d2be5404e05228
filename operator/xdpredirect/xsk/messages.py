"""The records of the protocol, written and read: pure. docs/protocol.md is the specification.

Called by `protocol`, the broker's half of a conversation, and by `client`, the other one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

VERSION = 1
NAME = "broker.sock"
"""Of the broker's socket in its directory."""
REQUEST_OCTETS, REPLY_OCTETS = 128, 512
"""The longest record of a client, and of the broker."""
LEAST_FRAMES, MOST_FRAMES = 64, 4096
FRAME_OCTETS = (2048, 4096)
MOST_OCTETS = 8 << 20
"""Of one UMEM."""
MOST_BUDGET = 64
"""Frames of one poll: as many as the kernel itself takes (NAPI_POLL_WEIGHT)."""

_INTERFACE = r"([!-.0-~]{1,15})"
_QUEUE = r"(0|[1-9][0-9]{0,3})"
_NUMBER = r"(0|[1-9][0-9]{0,9})"
_WISHES = rf"( multi-buffer)?(?: busy-poll {_NUMBER})?"
_NOT_PRINTABLE = re.compile(r"[^ -~]")


@dataclass(frozen=True)
class Hello:
    """The first request. `name` is what the client calls itself, for the log and for nothing."""

    version: int
    name: str


@dataclass(frozen=True)
class Take:
    """Asks for a socket of this queue, with a UMEM of `frames` times `octets`.

    With `multi_buffer` the client puts frames together that come in several pieces. `busy_poll` is
    how many frames the client's own calls may take from the device at once.
    """

    interface: str
    queue: int
    frames: int = 2048
    octets: int = 2048
    multi_buffer: bool = False
    busy_poll: int | None = None


@dataclass(frozen=True)
class Return:
    """Comes with a socket that an earlier broker has handed out, to be held by this one."""

    interface: str
    queue: int


@dataclass(frozen=True)
class Bring:
    """Comes with a socket that the client has made and bound itself: to the device that is called
    `interface` where the agent runs, and was moved into the client's network namespace."""

    interface: str
    queue: int


@dataclass(frozen=True)
class Release:
    """The client has closed its socket of this queue."""

    interface: str
    queue: int


@dataclass(frozen=True)
class Bound:
    """Answers Take and comes with two descriptors, the socket and the memfd of its UMEM."""

    interface: str
    ifindex: int
    queue: int
    frames: int
    octets: int
    zero_copy: bool
    transmit: bool
    multi_buffer: bool = False
    busy_poll: int | None = None


@dataclass(frozen=True)
class Told:
    """A queue is `kept` after Return, `brought` after Bring, `released` after Release; `withdrawn`
    comes unasked."""

    what: str
    interface: str
    queue: int


@dataclass(frozen=True)
class Refused:
    """`reason` is one word, `sentence` is for people."""

    reason: str
    sentence: str


Request = Hello | Take | Return | Bring | Release
Reply = Hello | Bound | Told | Refused

_HELLO = re.compile(rf"hello {_NUMBER} ([A-Za-z0-9._-]{{1,63}})")
_TAKE = re.compile(rf"take {_INTERFACE} {_QUEUE} {_NUMBER} {_NUMBER}{_WISHES}")
_NAMED = re.compile(rf"(return|bring|release) {_INTERFACE} {_QUEUE}")
_BY_NAME: Mapping[str, type[Return | Bring | Release]] = {
    "return": Return,
    "bring": Bring,
    "release": Release,
}
_BOUND = re.compile(
    rf"bound {_INTERFACE} {_NUMBER} {_QUEUE} {_NUMBER} {_NUMBER}"
    rf" (copy|zerocopy) (receive|transmit){_WISHES}"
)
_TOLD = re.compile(rf"(kept|brought|released|withdrawn) {_INTERFACE} {_QUEUE}")
_REFUSED = re.compile(r"refused ([A-Z][A-Za-z]{1,31}) ([ -~]+)")
_WELCOME = re.compile(rf"hello {_NUMBER}")


def read_request(data: bytes) -> Request | None:
    """A client's record; None for anything else."""
    text = _text(data, REQUEST_OCTETS)
    if match := _HELLO.fullmatch(text):
        return Hello(int(match[1]), match[2])
    if match := _TAKE.fullmatch(text):
        interface, queue, frames, octets, *wishes = match.groups()
        return Take(interface, int(queue), int(frames), int(octets), *_wishes_of(*wishes))
    if match := _NAMED.fullmatch(text):
        return _BY_NAME[match[1]](match[2], int(match[3]))
    return None


def read_reply(data: bytes) -> Reply | None:
    """The broker's record; None for anything else."""
    text = _text(data, REPLY_OCTETS)
    if match := _WELCOME.fullmatch(text):
        return Hello(int(match[1]), "")
    if match := _BOUND.fullmatch(text):
        interface, *numbers, copy, access, multi_buffer, busy_poll = match.groups()
        ifindex, queue, frames, octets = map(int, numbers)
        place = (interface, ifindex, queue, frames, octets)
        wishes = _wishes_of(multi_buffer, busy_poll)
        return Bound(*place, copy == "zerocopy", access == "transmit", *wishes)
    if match := _TOLD.fullmatch(text):
        return Told(match[1], match[2], int(match[3]))
    if match := _REFUSED.fullmatch(text):
        return Refused(match[1], match[2])
    return None


def record(message: Request | Reply) -> bytes:
    """The octets of a message, without an end: the socket keeps records apart."""
    match message:
        case Hello(version, name):
            words = f"hello {version} {name}".strip()
        case Take(interface, queue, frames, octets):
            words = f"take {interface} {queue} {frames} {octets}{_wishes(message)}"
        case Return(interface, queue):
            words = f"return {interface} {queue}"
        case Bring(interface, queue):
            words = f"bring {interface} {queue}"
        case Release(interface, queue):
            words = f"release {interface} {queue}"
        case Bound():
            words = _bound(message)
        case Told(what, interface, queue):
            words = f"{what} {interface} {queue}"
        case Refused(reason, sentence):
            words = f"refused {reason} {sentence}"[:REPLY_OCTETS]
    # What others have written may be quoted in a sentence.
    return _NOT_PRINTABLE.sub("?", words).encode("ascii")


def size_problem(frames: int, octets: int) -> str:
    """Why a UMEM is not made in this size; empty when it is."""
    if octets not in FRAME_OCTETS:
        return f"a frame has 2048 or 4096 octets, not {octets}"
    if not LEAST_FRAMES <= frames <= MOST_FRAMES or frames & (frames - 1):
        return f"frames must be a power of two from {LEAST_FRAMES} to {MOST_FRAMES}, not {frames}"
    if frames * octets > MOST_OCTETS:
        return f"a UMEM has at most {MOST_OCTETS} octets, not {frames * octets}"
    return ""


def busy_poll_problem(budget: int | None) -> str:
    """Why nobody is let poll for so many frames; empty when one is."""
    if budget is None or 1 <= budget <= MOST_BUDGET:
        return ""
    return f"busy polling takes 1 to {MOST_BUDGET} frames at once, not {budget}"


def _bound(bound: Bound) -> str:
    copy = "zerocopy" if bound.zero_copy else "copy"
    access = "transmit" if bound.transmit else "receive"
    numbers = f"{bound.ifindex} {bound.queue} {bound.frames} {bound.octets}"
    return f"bound {bound.interface} {numbers} {copy} {access}{_wishes(bound)}"


def _wishes(of: Take | Bound) -> str:
    busy_poll = "" if of.busy_poll is None else f" busy-poll {of.busy_poll}"
    return f"{' multi-buffer' if of.multi_buffer else ''}{busy_poll}"


def _wishes_of(multi_buffer: str | None, busy_poll: str | None) -> tuple[bool, int | None]:
    return multi_buffer is not None, None if busy_poll is None else int(busy_poll)


def _text(data: bytes, most: int) -> str:
    """Empty, which is no record, for what is too long or not ASCII."""
    return data.decode("ascii") if len(data) <= most and data.isascii() else ""
