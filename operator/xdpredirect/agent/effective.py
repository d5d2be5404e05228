"""Which version of each object counts now. Pure; called by `agent.loop`.

A paused object stays as it was applied. An address set that went missing keeps its last content,
so that a rule never loses the condition that narrows it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xdpredirect.agent.place import set_names
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.api.redirect import State, XdpAddressSet, XdpRedirect


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """Objects and sets to resolve. `held` names objects that stay as they were applied, or stay
    away when they never were; `own_sets` are the sets as such an object knows them."""

    redirects: tuple[XdpRedirect, ...]
    sets: Mapping[str, XdpAddressSet]
    findings: tuple[Finding, ...]
    held: frozenset[str]
    own_sets: Mapping[str, Mapping[str, XdpAddressSet]] = field(default_factory=dict)


def effective(
    wanted: Sequence[XdpRedirect],
    wanted_sets: Sequence[XdpAddressSet],
    applied: Mapping[str, XdpRedirect],
    applied_sets: Mapping[str, XdpAddressSet],
) -> Effective:
    """`applied` and `applied_sets` are what the datapath ran after the last pass, by name."""
    sets = {**applied_sets, **{s.name: s for s in wanted_sets}}
    wanted_names = {s.name for s in wanted_sets}
    held = {o.name for o in wanted if o.spec.state is State.PAUSED}
    findings: list[Finding] = []
    for redirect in wanted:
        for name in sorted(set_names(redirect) - wanted_names):
            if redirect.spec.state is State.ACTIVE:
                findings.append(_missing(redirect.name, name, name in sets))
                held |= set() if name in sets else {redirect.name}
    redirects = (applied.get(o.name) if o.name in held else o for o in wanted)
    return Effective(
        redirects=tuple(o for o in redirects if o is not None),
        sets=sets,
        findings=tuple(findings),
        held=frozenset(held),
        own_sets={name: {**sets, **applied_sets} for name in held},
    )


def _missing(owner: str, name: str, known: bool) -> Finding:
    if known:
        message = (
            f"XdpAddressSet {name} was removed; its last content stays in use, create it again "
            "or take it out of the rules"
        )
    else:
        message = f"XdpAddressSet {name} does not exist; create it, until then nothing changes"
    return Finding(
        object=owner,
        reason="AddressSetMissing",
        message=message,
        severity=Severity.DEGRADED if known else Severity.STALLED,
    )
