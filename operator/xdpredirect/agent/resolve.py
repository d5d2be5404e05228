"""From objects and a machine to what each interface should run. Pure; called by `agent.desired`.

Objects meet on an interface in the order of their priority, then of their names. What one of them
cannot have there becomes a Finding; it never takes anything away from the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from xdpredirect.agent.place import Placer
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.agent.select import links_of
from xdpredirect.api.action import OnMiss
from xdpredirect.api.redirect import Frags, Mode, Protect, State, XdpAddressSet, XdpRedirect
from xdpredirect.api.selector import selects_labels
from xdpredirect.datapath.wanted import Machine, WantedInterface
from xdpredirect.host import Host, Link, XdpFeatures

RULES_OF_AN_INTERFACE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What was made of the objects. `conflicted` holds (object, interface) where another object
    has precedence."""

    interfaces: tuple[WantedInterface, ...]
    machine: Machine
    findings: tuple[Finding, ...]
    conflicted: frozenset[tuple[str, str]]


Sets = Mapping[str, XdpAddressSet]


def resolve(
    redirects: Sequence[XdpRedirect],
    sets: Sets,
    host: Host,
    own_sets: Mapping[str, Sets] | None = None,
) -> Resolution:
    """Place every active object that selects this machine on its interfaces. Objects named in
    `own_sets` know these sets instead of `sets`."""
    active = sorted(
        (
            o
            for o in redirects
            if o.spec.state is not State.DETACHED
            and selects_labels(o.spec.node_selector, host.labels)
        ),
        key=lambda o: (o.spec.priority, o.name),
    )
    everywhere = replace(host, links=(*host.links, *host.away))
    chosen = {o.name: links_of(o.spec.interfaces, everywhere) for o in active}
    wanted: list[WantedInterface] = []
    findings: list[Finding] = []
    conflicted: set[tuple[str, str]] = set()
    placer = Placer(sets, host, own_sets or {})
    for link in sorted(everywhere.links, key=lambda link: link.name):
        here = [o for o in active if link in chosen[o.name]]
        if not here:
            continue
        kept, problems = _together(here, link)
        conflicted |= {(f.object, link.name) for f in problems if f.reason in _CONFLICTS}
        findings += problems
        wanted.append(_interface(kept, link, placer))
        findings += placer.take_findings()
    findings += (
        _finding(o.name, "NoInterface", "no interface of this machine matches spec.interfaces")
        for o in active
        if not chosen[o.name]
    )
    return Resolution(
        interfaces=tuple(wanted),
        machine=_machine(host),
        findings=tuple(findings),
        conflicted=frozenset(conflicted),
    )


_CONFLICTS = ("Conflicted", "TooManyRules")


def _finding(
    owner: str, reason: str, message: str, interface: str = "", severity: Severity = Severity.INFO
) -> Finding:
    return Finding(
        object=owner, reason=reason, message=message, interface=interface, severity=severity
    )


def _together(
    objects: Sequence[XdpRedirect], link: Link
) -> tuple[list[XdpRedirect], list[Finding]]:
    """Objects that can share the interface, and why the others cannot."""
    first = objects[0]
    kept: list[XdpRedirect] = []
    findings: list[Finding] = []
    rules = 0
    hidden_by = ""
    for candidate in objects:
        differs = _differs(first, candidate)
        if differs:
            message = (
                f"{first.name} has precedence on {link.name} and its {differs}; "
                "give both the same, or a lower priority number to this one"
            )
            findings.append(
                _finding(candidate.name, "Conflicted", message, link.name, Severity.STALLED)
            )
            continue
        if rules + len(candidate.spec.rules) > RULES_OF_AN_INTERFACE:
            message = (
                f"the objects on {link.name} have more than {RULES_OF_AN_INTERFACE} rules together "
                "with this one; use address sets or fewer rules"
            )
            findings.append(
                _finding(candidate.name, "TooManyRules", message, link.name, Severity.STALLED)
            )
            continue
        if hidden_by:
            message = (
                f"{hidden_by} takes every frame on {link.name} before this object sees it; "
                "give this one a lower priority number"
            )
            findings.append(
                _finding(candidate.name, "Shadowed", message, link.name, Severity.DEGRADED)
            )
        rules += len(candidate.spec.rules)
        kept.append(candidate)
        if not hidden_by and _takes_all(candidate):
            hidden_by = candidate.name
    return kept, findings


def _differs(first: XdpRedirect, other: XdpRedirect) -> str:
    if first.spec.mode is not other.spec.mode:
        return f"mode is {first.spec.mode}, not {other.spec.mode}"
    if first.spec.frags is not other.spec.frags:
        return f"frags is {first.spec.frags}, not {other.spec.frags}"
    return ""


def _takes_all(candidate: XdpRedirect) -> bool:
    last = candidate.spec.rules[-1]
    return (
        last.match.all
        and last.on_miss is not OnMiss.CONTINUE
        and candidate.spec.protect is Protect.NONE
    )


def _interface(objects: Sequence[XdpRedirect], link: Link, placer: Placer) -> WantedInterface:
    spec = objects[0].spec
    return WantedInterface(
        link=link,
        mode=spec.mode,
        frags=_frags(spec.frags, spec.mode, link),
        objects=tuple(placer.place(o, link) for o in objects),
    )


def _frags(frags: Frags, mode: Mode, link: Link) -> bool:
    """Auto loads multi-buffer programs wherever the driver can hand over such frames."""
    if frags is not Frags.AUTO:
        return frags is Frags.REQUIRED
    if mode is Mode.GENERIC or link.features is None:
        return True
    return bool(link.features & XdpFeatures.RX_SG)


def _machine(host: Host) -> Machine:
    online = frozenset(cpu.id for cpu in host.cpus)
    return Machine(
        local_addresses=frozenset(
            address for link in host.links for address in link.addresses if not _loopback(address)
        ),
        online=online,
        cpus=max(online, default=0) + 1,
        routes=tuple(sorted(_transmitters(host))),
        uppers=tuple(
            sorted(
                (link.ifindex, link.lower, link.vlan_id)
                for link in host.links
                if link.kind == "vlan" and link.vlan_id is not None and link.lower_here
            )
        ),
    )


def _loopback(address: bytes) -> bool:
    return address[0] == 127 if len(address) == 4 else address == bytes(15) + b"\1"


def _transmitters(host: Host) -> Iterator[int]:
    """Devices that a route may lead to; bridges and VLAN devices have the stack's help."""
    for link in host.links:
        if link.kind not in ("vlan", "bridge", "bond", "team") and link.mac and link.up:
            yield link.ifindex
