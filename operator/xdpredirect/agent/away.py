"""Devices that were moved to another network namespace with our program on them. Pure.

The pinned bpf_link stays attached, so that the program, its maps and its counters go on. What the
device was like is remembered (`agent.away_file`): as a link of `Host.away` it is planned for as if
it were here, and its program can be exchanged, which a link allows from anywhere. It stays as long
as a rule of type Sockets may want it: processes of the other namespace bring sockets for it. Called
by `agent.machine`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from xdpredirect.agent.actions import Action
from xdpredirect.agent.desired import Desired
from xdpredirect.agent.effective import Effective
from xdpredirect.agent.observed import Observed, ObservedInterface
from xdpredirect.agent.plan import plan_removal
from xdpredirect.agent.plan_attach import detach
from xdpredirect.agent.renames import waits_for_return
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.api.action import Sockets
from xdpredirect.api.redirect import Mode, State
from xdpredirect.datapath.sockets import is_whole
from xdpredirect.datapath.wanted import PlacedObject
from xdpredirect.host import Host, Link, XdpMode

_REASON = "InterfaceAway"
_SOCKETS = (
    "processes there bring their own sockets (`xdpredirect receive {name} --own-device DEVICE`), "
    "and none is made here until it is back"
)
_KNOWN = "{name} is in another network namespace, where its program goes on to run: "
_ASKS = "who has it asks there for its map, by protocol DevicePlugin"
_WHOLE = "the map of rule {rule} is that of pod {pod}"
_UNKNOWN = (
    "{name} is in another network namespace, where its program goes on to run, and what it was "
    "like is not remembered: until it is back, nothing there is changed and nobody gets a socket"
)
_OTHER_MODE = ". It stays in mode {mode} until then"


def recall(
    host: Host, seen: Observed, chosen: Effective, remembered: Mapping[str, Link]
) -> tuple[Host, Observed]:
    """Host and observation with the devices that are away, as far as they are remembered, by name,
    and wanted."""
    found = {
        name: replace(
            remembered[name], ifindex=there.attached_to, xdp_prog_id=there.running, away=True
        )
        for name, there in seen.interfaces.items()
        if there.away and name in remembered and _is_wanted(there, host, chosen)
    }
    interfaces = {
        name: replace(there, mode=found[name].xdp_mode) if name in found else there
        for name, there in seen.interfaces.items()
    }
    return replace(host, away=tuple(found.values())), replace(seen, interfaces=interfaces)


def to_remember(
    desired: Desired, seen: Observed, remembered: Mapping[str, Link]
) -> dict[str, Link]:
    """Devices that may go away, as they are now, and those that are remembered and still ours."""
    kept = {name: link for name, link in remembered.items() if name in seen.interfaces}
    for name, item in desired.interfaces.items():
        there = seen.interfaces.get(name)
        rules = (rule.rule for placed in item.wanted.objects for rule in placed.rules)
        hands = any(isinstance(rule.action, Sockets) for rule in rules)
        if hands and there is not None and there.by_link and there.attached_to:
            kept[name] = item.wanted.link
    return kept


def plan_unwanted(there: ObservedInterface, host: Host, chosen: Effective) -> tuple[Action, ...]:
    """Actions for an interface that nothing is laid out for. A device that is away and not
    remembered keeps its program, because nobody can tell whether it is still meant."""
    if not waits_for_return(there, host, chosen):
        return plan_removal(there)
    known = any(link.name == there.name for link in host.away)
    let_go = there.away and (known or not _is_wanted(there, host, chosen))
    return (detach(there),) if let_go else ()


def away_findings(desired: Desired, seen: Observed, chosen: Effective) -> Iterator[Finding]:
    """For each object that runs in another network namespace."""
    active = _active(chosen)
    for name, there in sorted(seen.interfaces.items()):
        if not there.away:
            continue
        item = desired.interfaces.get(name)
        if item is None:
            for owner in sorted({owner for owner, _ in there.slots.values()} & active):
                yield _finding(owner, name, _UNKNOWN)
        elif item.wanted.link.away:
            wanted = {Mode.NATIVE: XdpMode.NATIVE, Mode.GENERIC: XdpMode.GENERIC}
            other = wanted.get(item.wanted.mode, there.mode) is not there.mode
            stays = _OTHER_MODE.format(mode=there.mode) if other else ""
            for placed in item.wanted.objects:
                yield _finding(placed.name, name, _KNOWN + _handed(placed) + stays)


def _handed(placed: PlacedObject) -> str:
    """How processes there come to their sockets, by this object."""
    handing = [rule for rule in placed.rules if isinstance(rule.rule.action, Sockets)]
    words = [_WHOLE.format(rule=rule.rule.name, pod=rule.pod) for rule in handing if rule.pod]
    if not handing or not all(is_whole(rule) for rule in handing):
        words.append(_SOCKETS)
    return "; ".join(words) or _ASKS


def _finding(owner: str, name: str, words: str) -> Finding:
    return Finding(
        object=owner,
        reason=_REASON,
        message=words.format(name=name),
        severity=Severity.INFO,
        interface=name,
    )


def _is_wanted(there: ObservedInterface, host: Host, chosen: Effective) -> bool:
    """Whether a rule of type Sockets may have it run there. Another device of its name has
    precedence."""
    owners = {owner for owner, _ in there.slots.values()}
    return bool(owners & _active(chosen)) and waits_for_return(there, host, chosen)


def _active(chosen: Effective) -> frozenset[str]:
    """Objects that hand out sockets."""
    return frozenset(
        redirect.name
        for redirect in chosen.redirects
        if redirect.spec.state is not State.DETACHED
        and any(isinstance(rule.action, Sockets) for rule in redirect.spec.rules)
    )
