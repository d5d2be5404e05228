"""Which version of each object counts now. Pure; called by `agent.loop`.

A paused object stays as it was applied. An address set that went missing keeps its last content,
so that a rule never loses the condition that narrows it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdpredirect.agent.place import set_names
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.api.redirect import State, XdpAddressSet, XdpRedirect


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """Objects and sets to resolve. `paused` names objects that stay as they were."""

    redirects: tuple[XdpRedirect, ...]
    sets: Mapping[str, XdpAddressSet]
    findings: tuple[Finding, ...]
    paused: frozenset[str]


def effective(
    wanted: Sequence[XdpRedirect],
    wanted_sets: Sequence[XdpAddressSet],
    applied: Mapping[str, XdpRedirect],
    applied_sets: Mapping[str, XdpAddressSet],
) -> Effective:
    """`applied` and `applied_sets` are what the datapath ran after the last pass, by name."""
    paused = frozenset(o.name for o in wanted if o.spec.state is State.PAUSED)
    redirects = tuple(
        applied[o.name] if o.name in paused else o
        for o in wanted
        if o.name not in paused or o.name in applied
    )
    sets = {s.name: s for s in wanted_sets}
    findings = []
    for redirect in redirects:
        for name in sorted(set_names(redirect) - sets.keys()):
            if name in applied_sets:
                findings.append(
                    Finding(
                        object=redirect.name,
                        reason="AddressSetMissing",
                        message=f"XdpAddressSet {name} was removed; its last content stays in use, "
                        "create it again or take it out of the rules",
                        severity=Severity.DEGRADED,
                    )
                )
    known = {**applied_sets, **sets}
    return Effective(redirects=redirects, sets=known, findings=tuple(findings), paused=paused)
