"""One line of a packet table, and the short forms its columns are written in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network

from tests.spec.frames import ETHERNET
from xdpredirect.api.match import Match, Prefix, Range
from xdpredirect.api.redirect import XdpAddressSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A frame, a match and whether the one takes the other.

    `linear` octets are in the first buffer (None: all). `kernel` is False where the kernel's test
    run does not take the frame, because it is shorter than an Ethernet header.
    """

    description: str
    match: Match
    frame: bytes
    expected: bool
    linear: int | None = None
    rx_queue: int = 0
    interface: str = "eth0"
    alt_names: tuple[str, ...] = ()
    sets: Mapping[str, XdpAddressSet] = field(default_factory=dict)
    kernel: bool = True


def yes(description: str, match: Match, frame: bytes, **rest: object) -> Row:
    """A row whose match takes the frame; `rest` are further fields of `Row`."""
    return _row(description, match, frame, True, rest)


def no(description: str, match: Match, frame: bytes, **rest: object) -> Row:
    """A row whose match does not take the frame; `rest` are further fields of `Row`."""
    return _row(description, match, frame, False, rest)


def _row(
    description: str, match: Match, frame: bytes, expected: bool, rest: Mapping[str, object]
) -> Row:
    kernel = len(frame) >= ETHERNET
    row = Row(description=description, match=match, frame=frame, expected=expected, kernel=kernel)
    return replace(row, **rest)  # type: ignore[arg-type]


def cidrs(*texts: str) -> tuple[Prefix, ...]:
    """Networks in CIDR notation as prefixes."""
    networks = (ip_network(text) for text in texts)
    return tuple(Prefix(n.network_address.packed, n.prefixlen) for n in networks)


def only(*values: int) -> tuple[Range, ...]:
    """Ranges of one value each."""
    return tuple(Range(value, value) for value in values)


def between(first: int, last: int) -> tuple[Range, ...]:
    """One closed range."""
    return (Range(first, last),)
