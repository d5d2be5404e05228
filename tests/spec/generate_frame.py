"""Random frames that hit the rules of given objects, just miss them, or are damaged.

Called by `generate`'s users. Built from octets, because scapy is too slow for a fuzzer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from struct import pack

from tests.spec.generate_headers import ether_type_of, random_network
from tests.spec.matcher import Context
from xdpredirect.api.match import Match, Range
from xdpredirect.api.redirect import XdpAddressSet, XdpRedirect

FIRST_BUFFER = 3500  # octets of a longer frame that are in the first buffer
LONGEST = 9000
_MACS = tuple(bytes.fromhex(text) for text in ("020000000001", "0200000000aa", "ffffffffffff"))
_TPIDS = (0x8100, 0x88A8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """At least 14 octets; `linear` of them are in the first buffer (None: all)."""

    data: bytes
    linear: int | None = None
    ctx: Context = field(default_factory=Context)


def random_frame(
    rng: Random, objects: Sequence[XdpRedirect], sets: Mapping[str, XdpAddressSet]
) -> Frame:
    """A frame derived from a random rule of `objects`; each of its facts may just miss."""
    matches = [rule.match for each in objects for rule in each.spec.rules]
    match = Match() if not matches or rng.random() < 0.1 else rng.choice(matches)
    network = random_network(rng, match, sets)
    data = _ethernet(rng, match) + pack("!H", ether_type_of(rng, match, network)) + network
    data = _of_length(rng, match, data)
    if rng.random() < 0.25:
        data = _damaged(rng, data)
    linear = FIRST_BUFFER if len(data) > FIRST_BUFFER else None
    return Frame(data=data, linear=linear, ctx=_context(rng, match))


def near(rng: Random, ranges: Sequence[Range], highest: int) -> int:
    """A number in one of the ranges, mostly an edge of it; sometimes just outside or anywhere."""
    if not ranges or rng.random() < 0.1:
        return rng.randint(0, highest)
    first, last = rng.choice(ranges)
    inside = (first, last, rng.randint(first, last))
    found = rng.choice(inside if rng.random() < 0.85 else (first - 1, last + 1))
    return min(max(found, 0), highest)


def _ethernet(rng: Random, match: Match) -> bytes:
    """MACs and tags, without the EtherType."""
    macs = b"".join(
        rng.choice(wanted if wanted and rng.random() < 0.9 else _MACS)
        for wanted in (match.destination_macs, match.source_macs)
    )
    count = rng.choices((0, 1, 2, 3), (70, 15, 10, 5))[0]
    if match.vlan_ids:
        count = max(count, 1)
    if match.inner_vlan_ids:
        count = max(count, 2)
    if match.vlan_tags is not None and rng.random() < 0.9:
        count = match.vlan_tags
    wanted_ids = (match.vlan_ids, match.inner_vlan_ids, ())
    tags = (
        pack("!HH", rng.choice(_TPIDS), rng.getrandbits(4) << 12 | near(rng, ids, 4095))
        for ids in wanted_ids[:count]
    )
    return macs + b"".join(tags)


def _of_length(rng: Random, match: Match, data: bytes) -> bytes:
    """`data` with padding, so that its length is about one that is asked for."""
    if match.lengths:
        return data + rng.randbytes(max(near(rng, match.lengths, LONGEST) - len(data), 0))
    wanted = rng.choice((0, 0, 60, 61, 1514, LONGEST) if rng.random() < 0.3 else (0,))
    return data + bytes(max(wanted - len(data), 0))


def _damaged(rng: Random, data: bytes) -> bytes:
    """Cut anywhere, or some octets of the headers changed."""
    if rng.random() < 0.5:
        return data[: max(rng.randrange(len(data) + 1), 14)]
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        damaged[rng.randrange(min(len(data), 100))] = rng.choice((0, 0xFF, rng.randrange(256)))
    return bytes(damaged)


def _context(rng: Random, match: Match) -> Context:
    """Queue and interface; a glob stands for one of the names that it takes."""
    name = rng.choice(match.interfaces) if match.interfaces and rng.random() < 0.8 else "eth0"
    interface = name.replace("*", rng.choice(("", "0", "eth1"))).replace("?", "0")
    queue = near(rng, match.rx_queues, 9999) if match.rx_queues else 0
    return Context(rx_queue=queue, interface=interface or "lo")
