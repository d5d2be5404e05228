"""The report of a pass: what was wanted, what runs, and the counters. Called by `agent.loop`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdpredirect.agent.desired import Desired, DesiredInterface
from xdpredirect.agent.loss_report import Losses
from xdpredirect.agent.observed import Observed, ObservedInterface
from xdpredirect.agent.report import (
    Finding,
    InterfaceReport,
    ObjectReport,
    Report,
    RuleCounters,
    RuleReport,
    SocketReport,
)
from xdpredirect.api.redirect import XdpRedirect
from xdpredirect.api.selector import selects_labels
from xdpredirect.datapath.abi import Slot
from xdpredirect.host import Host, XdpMode

Counters = Mapping[int, RuleCounters]
_NOTHING = RuleCounters()
_ACTIONS = {"ToDevice": "Device", "Tx": "TX"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a report is made of. `applied` are generations by object, `counters` sums by interface
    and slot, `failures` what went wrong by interface, `sockets` what is handed out by object."""

    redirects: Sequence[XdpRedirect]
    applied: Mapping[str, int]
    desired: Desired
    observed: Observed
    host: Host
    findings: Sequence[Finding]
    counters: Mapping[str, Counters]
    failures: Mapping[str, str]
    losses: Losses
    sockets: Mapping[str, tuple[SocketReport, ...]]


def summarise(found: Found) -> Report:
    """The report, sorted by name."""
    interfaces = [
        _interface(
            item,
            found.observed.interfaces.get(name),
            found.counters.get(name, {}),
            found.failures,
        )
        for name, item in found.desired.interfaces.items()
    ]
    return Report(
        objects=tuple(_object(o, found) for o in sorted(found.redirects, key=lambda o: o.name)),
        interfaces=tuple(sorted(interfaces, key=lambda i: i.name)),
        foreign=found.losses.foreign,
        shared=found.losses.shared,
    )


def _interface(
    item: DesiredInterface,
    seen: ObservedInterface | None,
    counters: Counters,
    failures: Mapping[str, str],
) -> InterfaceReport:
    link = item.wanted.link
    here = seen is not None and (seen.attached_to, seen.away) == (link.ifindex, link.away)
    program = seen.running if here and seen else 0
    running = next(
        (g.digest for g in (seen.generations.values() if seen else ()) if g.program == program), ""
    )
    return InterfaceReport(
        name=link.name,
        ifindex=link.ifindex,
        driver=link.driver,
        away=link.away,
        mode=seen.mode if here and seen else XdpMode.NONE,
        frags=item.layout.frags,
        program_id=program,
        program=running if program else "",
        objects=tuple(o.name for o in item.wanted.objects),
        error=failures.get(link.name, ""),
        rules=tuple(
            RuleReport(
                object=o.name,
                rule=r.rule.name,
                action=_ACTIONS.get(type(r.rule.action).__name__, type(r.rule.action).__name__),
                targets=item.layout.targets[o.name, r.rule.name],
                counters=counters.get(item.layout.slots[o.name, r.rule.name], _NOTHING),
            )
            for o in item.wanted.objects
            for r in o.rules
        ),
        unmatched=counters.get(Slot.UNMATCHED, _NOTHING),
        protected=counters.get(Slot.PROTECTED, _NOTHING),
        malformed=counters.get(Slot.MALFORMED, _NOTHING),
    )


def _object(redirect: XdpRedirect, found: Found) -> ObjectReport:
    name = redirect.name
    carrying = sorted(
        interface
        for interface, item in found.desired.interfaces.items()
        if any(o.name == name for o in item.wanted.objects)
    )
    return ObjectReport(
        name=name,
        generation=redirect.generation,
        applied_generation=found.applied.get(name, 0),
        state=redirect.spec.state,
        selected=selects_labels(redirect.spec.node_selector, found.host.labels),
        interfaces=tuple(i for i in carrying if i not in found.failures),
        conflicted=tuple(sorted(i for o, i in found.desired.conflicted if o == name)),
        failed=tuple(i for i in carrying if i in found.failures),
        findings=tuple(f for f in found.findings if f.object == name),
        losses=tuple(loss for loss in found.losses.ours if loss.object == name),
        sockets=found.sockets.get(name, ()),
    )
