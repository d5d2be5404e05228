"""The report of a pass: what was wanted, what runs, and the counters. Called by `agent.loop`."""

from collections.abc import Mapping, Sequence

from xdpredirect.agent.desired import Desired, DesiredInterface
from xdpredirect.agent.host import Host, XdpMode
from xdpredirect.agent.observed import Observed, ObservedInterface
from xdpredirect.agent.report import (
    Finding,
    InterfaceReport,
    ObjectReport,
    Report,
    RuleCounters,
    RuleReport,
)
from xdpredirect.agent.select import selects_node
from xdpredirect.api.redirect import State, XdpRedirect
from xdpredirect.datapath.abi import Slot

Counters = Mapping[int, RuleCounters]
_NOTHING = RuleCounters()
_ACTIONS = {"ToDevice": "Device", "Tx": "TX"}


def summarise(
    redirects: Sequence[XdpRedirect],
    applied: Mapping[str, int],
    desired: Desired,
    observed: Observed,
    host: Host,
    findings: Sequence[Finding],
    counters: Mapping[str, Counters],
    failures: Mapping[str, str],
) -> Report:
    """`applied` are generations by object, `counters` sums by interface and slot, `failures` what
    went wrong by interface."""
    interfaces = [
        _interface(item, observed.interfaces.get(name), counters.get(name, {}), failures)
        for name, item in desired.interfaces.items()
    ]
    return Report(
        objects=tuple(
            _object(o, applied.get(o.name, 0), desired, host, findings, failures)
            for o in sorted(redirects, key=lambda o: o.name)
        ),
        interfaces=tuple(sorted(interfaces, key=lambda i: i.name)),
    )


def _interface(
    item: DesiredInterface,
    seen: ObservedInterface | None,
    counters: Counters,
    failures: Mapping[str, str],
) -> InterfaceReport:
    link = item.wanted.link
    here = seen is not None and seen.attached_to == link.ifindex
    program = seen.running if here and seen else 0
    running = next(
        (g.digest for g in (seen.generations.values() if seen else ()) if g.program == program), ""
    )
    return InterfaceReport(
        name=link.name,
        ifindex=link.ifindex,
        driver=link.driver,
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


def _object(
    redirect: XdpRedirect,
    applied: int,
    desired: Desired,
    host: Host,
    findings: Sequence[Finding],
    failures: Mapping[str, str],
) -> ObjectReport:
    name = redirect.name
    carrying = [
        interface
        for interface, item in desired.interfaces.items()
        if any(o.name == name for o in item.wanted.objects)
    ]
    return ObjectReport(
        name=name,
        generation=redirect.generation,
        applied_generation=applied,
        state=redirect.spec.state if isinstance(redirect.spec.state, State) else "Active",
        selected=selects_node(redirect.spec.node_selector, host.labels),
        interfaces=tuple(sorted(i for i in carrying if i not in failures)),
        conflicted=tuple(sorted(i for o, i in desired.conflicted if o == name)),
        failed=tuple(sorted(i for i in carrying if i in failures)),
        findings=tuple(f for f in findings if f.object == name),
    )
