"""What the whole machine should run: layouts of all interfaces. Pure; called by `agent.loop`.

Between `resolve` (what objects mean here) and `plan` (what to do): it gives rules their counter
slots and leaves out, with a finding, the object that cannot share an interface.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xdpredirect.agent.effective import Effective
from xdpredirect.agent.observed import Observed
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.agent.resolve import resolve
from xdpredirect.agent.socket_holders import Holders
from xdpredirect.datapath.builder import LayoutConflict
from xdpredirect.datapath.layout import Layout, lay_out
from xdpredirect.datapath.slots import assign_slots
from xdpredirect.datapath.wanted import Machine, WantedInterface
from xdpredirect.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredInterface:
    """One interface and its layout."""

    wanted: WantedInterface
    layout: Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """Interfaces by name; `conflicted` holds (object, interface). `untouched` are interfaces whose
    objects cannot be laid out: what runs there stays."""

    interfaces: Mapping[str, DesiredInterface]
    findings: tuple[Finding, ...]
    conflicted: frozenset[tuple[str, str]]
    untouched: frozenset[str] = frozenset()


def desire(
    chosen: Effective,
    host: Host,
    observed: Observed,
    sources: str,
    holders: Holders | None = None,
) -> Desired:
    """Lay out every interface. `sources` is the digest of the C files, `holders` knows which pods
    have whole maps."""
    resolution = resolve(chosen.redirects, chosen.sets, host, chosen.own_sets)
    findings = list(resolution.findings)
    conflicted = set(resolution.conflicted)
    interfaces = {}
    untouched = set()
    for resolved in resolution.interfaces:
        seen = observed.interfaces.get(resolved.link.name)
        wanted = (holders or Holders()).place(resolved, seen)
        taken = seen.slots if seen else {}
        laid, problems = _lay_out(wanted, taken, resolution.machine, sources)
        findings += problems
        conflicted |= {(f.object, wanted.link.name) for f in problems}
        if laid is None:
            untouched.add(wanted.link.name)
        else:
            interfaces[wanted.link.name] = laid
    return Desired(
        interfaces=interfaces,
        findings=tuple(findings),
        conflicted=frozenset(conflicted),
        untouched=frozenset(untouched),
    )


def _lay_out(
    wanted: WantedInterface,
    taken: Mapping[int, tuple[str, str]],
    machine: Machine,
    sources: str,
) -> tuple[DesiredInterface | None, list[Finding]]:
    findings: list[Finding] = []
    while wanted.objects:
        rules = [(o.name, r.rule.name) for o in wanted.objects for r in o.rules]
        try:
            layout = lay_out(wanted, assign_slots(taken, rules), machine, sources)
        except LayoutConflict as conflict:
            findings.append(
                Finding(
                    object=conflict.object,
                    reason=conflict.reason,
                    message=conflict.message,
                    severity=Severity.STALLED,
                    interface=wanted.link.name,
                )
            )
            left = tuple(o for o in wanted.objects if o.name != conflict.object)
            wanted = replace(wanted, objects=left)
        else:
            return DesiredInterface(wanted=wanted, layout=layout), findings
    return None, findings
