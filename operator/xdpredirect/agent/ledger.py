"""Frames lost since each cause first showed, out of absolute counts. Pure.

The kernel's counts belong to one installation of the drop monitor, and a rule's own counters to
one slot; ids vanish when a program is swapped. The ledger turns them into totals that survive all
that: every fold adds what grew since the last one. Called by `agent.monitor`, which stores it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from xdpredirect.agent.losses import Cause, Scene, attribute, attribute_counter, sends_on
from xdpredirect.agent.meanings import Meanings, Section
from xdpredirect.agent.report import RuleCounters
from xdpredirect.agent.socket_losses import Seen, attribute_socket, lost_since
from xdpredirect.api.action import OnMiss
from xdpredirect.datapath.abi import Event, LossKey
from xdpredirect.datapath.mapspec import MapType
from xdpredirect.reasons import Own
from xdpredirect.xsk.holding import Holding

WRAP = 1 << 64
RATE_SECONDS = 1.0
"""Rates are averages over at least this long."""
_LOST_MISSES = (OnMiss.DROP, OnMiss.ABORT)
# As plain numbers, and keys by position below: an enumeration compares ten times as slowly.
_REDIRECT_ERR, _CPUMAP_PROGRAM = int(Event.REDIRECT_ERR), int(Event.CPUMAP_PROGRAM)


class CounterKey(NamedTuple):
    """One of a rule's own counters that stands for lost frames."""

    interface: str
    object: str
    rule: str
    event: int


@dataclass(frozen=True, slots=True)
class Total:
    """`packets` since `since` (RFC 3339); `mark` of them by the last time the rate was taken."""

    packets: int
    since: str
    hint: str
    mark: int = 0
    rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read at `time` (seconds since 1970; `now` is the same as RFC 3339).

    `monitor` identifies the installation that `counts` belong to, empty when there is none.
    `counters` are the rules' own, by (interface, object, rule); `sockets` those that were handed
    out, by a key that no other one gets.
    """

    monitor: str
    counts: Mapping[LossKey, int]
    counters: Mapping[tuple[str, str, str], RuleCounters]
    time: float
    now: str
    sockets: Mapping[str, Holding] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """`seen`, `counters` and `sockets` are the counts that `totals` already include. `owed` is, by
    interface, what its CPUMAP programs lost less the failed redirects that explain it, and is in
    no total yet.
    """

    monitor: str = ""
    time: float = 0.0
    seen: Mapping[LossKey, int] = field(default_factory=dict)
    counters: Mapping[CounterKey, int] = field(default_factory=dict)
    totals: Mapping[Cause, Total] = field(default_factory=dict)
    owed: Mapping[str, int] = field(default_factory=dict)
    sockets: Seen = field(default_factory=dict)
    meanings: Meanings = field(default_factory=Meanings)


def fold(ledger: Ledger, reading: Reading, scene: Scene) -> Ledger:
    """The ledger with everything counted since. `scene` must hold what the ledger remembers too."""
    known = ledger.seen if reading.monitor == ledger.monitor else {}
    totals = dict(ledger.totals)
    owed = dict(ledger.owed)
    # Below 0: what the installation before this one had counted last, see `hand_over`.
    pending = dict.fromkeys((key for key, count in known.items() if count < 0), 0)
    counts = {**pending, **reading.counts} if pending else reading.counts
    grown = {
        key: (count - before) % WRAP
        for key, count in counts.items()
        if count != (before := known.get(key, 0))
    }
    _settle(grown, reading.counts, owed, scene)
    for key, packets in _by_section(grown, scene).items():
        found = attribute(key, scene) if packets > 0 else None
        if found is not None:
            _add(totals, found.cause, packets, found.hint, reading.now)
    counters = _fold_counters(ledger.counters, reading, scene, totals)
    lost, sockets = lost_since(ledger.sockets, reading.sockets)
    for one in lost:
        if reading.monitor and not one.holding.away:
            continue  # Among the counts, which are those of devices of this network namespace.
        found = attribute_socket(one, scene)
        _add(totals, found.cause, one.packets, found.hint, reading.now)
    return replace(
        ledger,
        monitor=reading.monitor,
        time=_rates(totals, ledger.time, reading.time),
        seen=dict(reading.counts),
        counters=counters,
        totals=totals,
        owed=owed,
        sockets=sockets,
    )


def hand_over(
    ledger: Ledger, last: Mapping[LossKey, int], monitor: str, first: Mapping[LossKey, int]
) -> Ledger:
    """The ledger after another installation took over: `last` was read from the old one when it
    had stopped counting, `first` from the new one `monitor` just after that. Frames that both
    counted meanwhile are in `last` and not counted again."""
    seen = dict(first)
    for key, count in last.items():
        grown = (count - ledger.seen.get(key, 0)) % WRAP
        if grown:
            seen[key] = seen.get(key, 0) - grown
    return replace(ledger, monitor=monitor, seen=seen)


def forget(ledger: Ledger, objects: set[str]) -> Ledger:
    """Without the totals of objects that are not in `objects`."""
    kept = {c: t for c, t in ledger.totals.items() if not c.object or c.object in objects}
    return replace(ledger, totals=kept)


def _add(totals: dict[Cause, Total], cause: Cause, packets: int, hint: str, now: str) -> None:
    old = totals.get(cause, Total(0, now, hint))
    totals[cause] = replace(old, packets=old.packets + packets, hint=hint)


def _rates(totals: dict[Cause, Total], before: float, now: float) -> float:
    """Put the rates in; returns the time that they hold from."""
    elapsed = now - before
    if before and 0 <= elapsed < RATE_SECONDS:
        for cause, total in totals.items():
            if not total.rate and total.packets > total.mark:
                # Just begun: as if it were over the whole time, until that is known.
                rate = (total.packets - total.mark) / RATE_SECONDS
                totals[cause] = replace(total, rate=rate)
        return before
    for cause, total in totals.items():
        rate = (total.packets - total.mark) / elapsed if before and elapsed > 0 else 0.0
        totals[cause] = replace(total, mark=total.packets, rate=rate)
    return now


def _by_section(grown: Mapping[LossKey, int], scene: Scene) -> dict[LossKey, int]:
    """One key for all keys of a device map that are one rule's: they have one cause, and a map may
    have thousands."""
    firsts = {
        number: sorted({section.first for section in found.sections})
        for number, found in scene.meanings.maps.items()
        if found.type != MapType.CPUMAP and _apart(found.sections)
    }
    ends = {
        number: max(s.first + s.count for s in scene.meanings.maps[number].sections)
        for number in firsts
    }
    # Plain tuples: ten thousand keys are folded at once, and a named one takes long to make.
    added: dict[tuple[int, ...], int] = {}
    for key, packets in grown.items():
        one: tuple[int, ...] = key
        event, program, number, index, origin, to, error = key
        if event == _REDIRECT_ERR and number in firsts:
            starts = firsts[number]
            if starts[0] <= index < ends[number]:
                first = starts[bisect_right(starts, index) - 1]
                one = (event, program, number, first, origin, to, error)
        added[one] = added.get(one, 0) + packets
    return {LossKey._make(key): packets for key, packets in added.items()}


def _apart(sections: Sequence[Section]) -> bool:
    """Whether the sections cover their keys without gap or overlap, and there is one."""
    ordered = sorted((s.first, s.count) for s in sections)
    ends = [first + count for first, count in ordered]
    starts = [first for first, _ in ordered]
    return bool(ordered) and ends[:-1] == starts[1:]


def _settle(
    grown: dict[LossKey, int], counts: Iterable[LossKey], owed: dict[str, int], scene: Scene
) -> None:
    """A CPUMAP program that sends on to a device reports a failed redirect twice: at
    xdp_redirect_err, and as its own drop. The second is taken off `grown` here.

    Both are read at slightly different times, so what is left over counts only when it is still
    there at the next fold.
    """
    before = dict(owed)
    maps, programs = scene.meanings.maps, scene.meanings.programs
    suspect = [
        (key, packets)
        for key, packets in grown.items()
        if (key[0] == _REDIRECT_ERR and key[1] not in programs) or key[0] == _CPUMAP_PROGRAM
    ]
    for key, packets in suspect:
        found = maps.get(key.map)
        if found is None:
            continue
        if key.event == Event.REDIRECT_ERR:
            owed[found.interface] = owed.get(found.interface, 0) - packets
        elif sends_on(found, scene):
            owed[found.interface] = owed.get(found.interface, 0) + packets
            del grown[key]
    for key in [key for key in counts if key[0] == _CPUMAP_PROGRAM]:
        found = maps.get(key.map)
        if found is not None:
            settled = min(before.pop(found.interface, 0), owed.get(found.interface, 0))
            if settled > 0:
                grown[key] = settled
                owed[found.interface] -= settled


def _fold_counters(
    before: Mapping[CounterKey, int], reading: Reading, scene: Scene, totals: dict[Cause, Total]
) -> dict[CounterKey, int]:
    """Add what rules counted themselves; returns what is now included."""
    seen = {k: n for k, n in before.items() if (k.interface, k.object, k.rule) in reading.counters}
    for (interface, owner, name), counters in reading.counters.items():
        rule = scene.meanings.rule(interface, (owner, name))
        if rule is None:
            continue  # Not attached now; the counters go on when the device comes back.
        for event, count in ((Own.MISS, counters.misses), (Own.REWRITE, counters.errors)):
            key = CounterKey(interface, owner, name, event)
            old = seen.get(key, 0)
            # A slot that was given to the rule again began at 0.
            packets = count - old if count >= old else count
            seen[key] = count
            if packets and (event is Own.REWRITE or rule.on_miss in _LOST_MISSES):
                found = attribute_counter(interface, rule, event, scene)
                _add(totals, found.cause, packets, found.hint, reading.now)
    return seen
