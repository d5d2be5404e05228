"""What `xdpredirect monitor` shows: the difference between two looks at the counters. Pure.

Made by `cli.monitor_objects`, drawn by `cli.monitor_tables`, kept by `agent.recording`. All counts
are of one interval, never totals; `seconds` is how long it really was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from xdpredirect.agent.report import InterfaceReport, Loss, Report, RuleCounters, RuleReport
from xdpredirect.reasons import REASONS, Own

KEEPS_FRAMES = ("Pass", "Drop")
"""Actions that hand no frame on; all others redirect (TX too: out of the device it came in on)."""
COUNTED_BY_RULES = frozenset(
    row.name for row in REASONS if all(isinstance(event, Own) for event in row.events)
)
"""Reasons whose frames are among the misses and errors of their rule already."""
LossId = tuple[str, str, str, str, str, str]
CpuCounters = Mapping[tuple[str, str, str], tuple[RuleCounters, ...]]
"""Counters by CPU number; keys are (interface, object, rule)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRates:
    """One rule on one interface. `matched` frames of `octets` bytes; of them `redirected` were
    handed on and arrived, as far as the kernel tells, `misses` had no entry in the map, `errors`
    could not be rewritten. `lost` counts those that the losses of the interval blame on this rule
    (for Broadcast: copies, which `redirected` frames have several of). `cpus` are matched frames by
    CPU number."""

    object: str
    rule: str
    action: str
    targets: tuple[str, ...]
    matched: int
    redirected: int
    octets: int
    misses: int
    errors: int
    lost: int
    cpus: tuple[int, ...]

    @property
    def skew(self) -> float:
        """Share of the busiest CPU, from 0 to 1; 0 when no frame matched."""
        total = sum(self.cpus)
        return max(self.cpus) / total if total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Frames, and their bytes."""

    packets: int = 0
    octets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceRates:
    """One interface. `lost` includes losses that no single rule can be blamed for; the last three
    are frames that no rule decided about."""

    name: str
    mode: str
    rules: tuple[RuleRates, ...]
    lost: int
    unmatched: Traffic
    protected: Traffic
    malformed: Traffic

    @property
    def received(self) -> Traffic:
        """Everything that the program saw."""
        parts = (self.unmatched, self.protected, self.malformed)
        return Traffic(
            packets=sum(r.matched for r in self.rules) + sum(t.packets for t in parts),
            octets=sum(r.octets for r in self.rules) + sum(t.octets for t in parts),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRate:
    """Frames lost in the interval for one cause; fields as in `agent.report.Loss`."""

    object: str
    rule: str
    interface: str
    target: str
    reason: str
    errno: str
    packets: int
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInterval:
    """One interval of the objects of this machine. `time` is its end, RFC 3339."""

    time: str
    seconds: float
    interfaces: tuple[InterfaceRates, ...]
    losses: tuple[LossRate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The counters at one moment; `at` counts seconds from anywhere."""

    at: float
    report: Report
    cpus: CpuCounters


def interval(before: Look, after: Look, time: str) -> ObjectInterval:
    """What happened between two looks. Interfaces and rules are those of the second; whatever was
    not there before, or has begun anew, counts from 0."""
    losses = _losses(before.report, after.report)
    old = {item.name: item for item in before.report.interfaces}
    return ObjectInterval(
        time=time,
        seconds=round(after.at - before.at, 6),
        interfaces=tuple(
            _interface(item, old.get(item.name), (before.cpus, after.cpus), losses)
            for item in after.report.interfaces
        ),
        losses=losses,
    )


def _interface(
    new: InterfaceReport,
    old: InterfaceReport | None,
    cpus: tuple[CpuCounters, CpuCounters],
    losses: Sequence[LossRate],
) -> InterfaceRates:
    here = [loss for loss in losses if loss.interface == new.name]
    return InterfaceRates(
        name=new.name,
        mode=new.mode.value,
        rules=tuple(_rule(new.name, rule, cpus, here) for rule in new.rules),
        lost=sum(loss.packets for loss in here),
        unmatched=_traffic(new.unmatched, old.unmatched if old else None),
        protected=_traffic(new.protected, old.protected if old else None),
        malformed=_traffic(new.malformed, old.malformed if old else None),
    )


def _traffic(new: RuleCounters, old: RuleCounters | None) -> Traffic:
    before = old or RuleCounters()
    return Traffic(
        packets=since(new.packets, before.packets), octets=since(new.octets, before.octets)
    )


def _rule(
    interface: str,
    rule: RuleReport,
    cpus: tuple[CpuCounters, CpuCounters],
    losses: Iterable[LossRate],
) -> RuleRates:
    key = (interface, rule.object, rule.rule)
    after = cpus[1].get(key, ())
    before = cpus[0].get(key, ()) or (RuleCounters(),) * len(after)
    pairs = list(zip(after, before, strict=True))
    matched = sum(since(new.packets, old.packets) for new, old in pairs)
    misses = sum(since(new.misses, old.misses) for new, old in pairs)
    errors = sum(since(new.errors, old.errors) for new, old in pairs)
    mine = [loss for loss in losses if (loss.object, loss.rule) == (rule.object, rule.rule)]
    under_way = sum(loss.packets for loss in mine if loss.reason not in COUNTED_BY_RULES)
    arrived = matched - misses - errors - (0 if rule.action == "Broadcast" else under_way)
    return RuleRates(
        object=rule.object,
        rule=rule.rule,
        action=rule.action,
        targets=rule.targets,
        matched=matched,
        redirected=0 if rule.action in KEEPS_FRAMES else max(0, arrived),
        octets=sum(since(new.octets, old.octets) for new, old in pairs),
        misses=misses,
        errors=errors,
        lost=sum(loss.packets for loss in mine),
        cpus=tuple(since(new.packets, old.packets) for new, old in pairs),
    )


def _losses(before: Report, after: Report) -> tuple[LossRate, ...]:
    """Most frames first."""
    old = _by_id(before)
    found = [
        LossRate(
            object=loss.object,
            rule=loss.rule,
            interface=loss.interface,
            target=loss.target,
            reason=loss.reason,
            errno=loss.errno,
            packets=since(loss.packets, old[key].packets if key in old else 0),
            hint=loss.hint,
        )
        for key, loss in _by_id(after).items()
    ]
    return tuple(sorted((loss for loss in found if loss.packets), key=lambda loss: -loss.packets))


def _by_id(report: Report) -> dict[LossId, Loss]:
    return {
        (loss.object, loss.rule, loss.interface, loss.target, loss.reason, loss.errno): loss
        for losses in (*(item.losses for item in report.objects), report.shared)
        for loss in losses
    }


def since(now: int, before: int) -> int:
    """What was counted between two readings; a counter that began anew counts from 0."""
    return now - before if now >= before else now


def per_second(packets: int, seconds: float) -> int:
    """Rounded; what is there is never shown as nothing."""
    if seconds <= 0 or not packets:
        return 0
    return max(1, round(packets / seconds))
