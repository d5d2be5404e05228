"""Whose frames a count of the drop monitor is about, and why they were lost. Pure.

Called by `agent.ledger` for every count that grew. Each frame is counted once: where two events
report the same one, or a tracepoint and our own counters do, the other one is left out here.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from errno import ENOSPC
from typing import NamedTuple

from xdpredirect.agent.findings import peer_of
from xdpredirect.agent.meanings import InterfaceMeaning, MapMeaning, Meanings, RuleMeaning
from xdpredirect.api.action import OnMiss
from xdpredirect.datapath.abi import Event, LossKey
from xdpredirect.datapath.mapspec import MapType
from xdpredirect.datapath.slots import RuleId
from xdpredirect.errors import errno_name
from xdpredirect.host import Host, XdpMode
from xdpredirect.reasons import Facts, MapKind, Own, explain

XDP_TX, XDP_REDIRECT = 3, 4
NOBODY: RuleId = ("", "")
NO_ENTRY = "(no entry)"
_KINDS = {
    MapType.DEVMAP: MapKind.DEVICE,
    MapType.DEVMAP_HASH: MapKind.DEVICE,
    MapType.CPUMAP: MapKind.CPU,
}


class Cause(NamedTuple):
    """One line of losses. `object` and `rule` are empty where several send to the target, and
    where the program is not ours (`foreign`)."""

    object: str
    rule: str
    reason: str
    errno: str
    interface: str
    target: str
    foreign: bool = False


class Attributed(NamedTuple):
    """A cause and its words."""

    cause: Cause
    hint: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What attribution looks things up in."""

    meanings: Meanings
    host: Host

    def name(self, ifindex: int) -> str:
        """Name of a device, if need be the one that it had."""
        link = self.host.link(ifindex)
        return link.name if link else self.meanings.links.get(ifindex, f"ifindex {ifindex}")


def attribute(key: LossKey, scene: Scene) -> Attributed | None:
    """The cause behind one key; None for what is counted elsewhere or is no loss.

    CPUMAP_PROGRAM of a rule that sends on to a device is what the ledger found left after
    subtracting the redirects that failed there.
    """
    match key.event:
        case Event.REDIRECT_ERR:
            return _refused(key, scene)
        case Event.EXCEPTION:
            return _exception(key, scene)
        case Event.DEVMAP_XMIT | Event.BULK_TX:
            return _flushed(key, scene)
        case Event.CPUMAP_ENQUEUE | Event.CPUMAP_KTHREAD | Event.CPUMAP_PROGRAM:
            return _cpu(key, scene)
    return None


def attribute_counter(interface: str, rule: RuleMeaning, event: Own, scene: Scene) -> Attributed:
    """The cause behind misses or failed rewrites that a rule counted itself."""
    there = scene.meanings.named(interface)
    facts = Facts(
        event=event,
        interface=interface,
        target=NO_ENTRY if event is Own.MISS else "",
        ingress=scene.host.link(there.ifindex) if there else None,
        broadcast=rule.broadcast,
    )
    return _explained(facts, (rule.object, rule.rule))


def _refused(key: LossKey, scene: Scene) -> Attributed | None:
    found = scene.meanings.maps.get(key.map)
    if found is None:
        foreign = key.program not in scene.meanings.programs
        facts = _facts(key, scene, MapKind.NONE, scene.name(key.origin))
        target = scene.name(key.to) if key.to else ""
        return _explained(replace(facts, target=target), NOBODY, foreign)
    kind = _KINDS[MapType(found.type)]
    if kind is MapKind.CPU and key.error == ENOSPC:
        return None  # Generic mode; xdp_cpumap_enqueue reports the same frame.
    owner = _owner(found, key.index)
    rule = scene.meanings.rule(found.interface, owner)
    target = f"cpu {key.index}" if kind is MapKind.CPU else _device_word(key, rule, scene)
    facts = _facts(key, scene, kind, found.interface)
    broadcast = rule is not None and rule.broadcast
    return _explained(replace(facts, target=target, broadcast=broadcast), owner)


def _device_word(key: LossKey, rule: RuleMeaning | None, scene: Scene) -> str:
    """The kernel names no device where a frame was to go to several."""
    if key.to:
        return scene.name(key.to)
    devices = rule.devices if rule else ()
    return ", ".join(map(scene.name, devices[:3])) + ("…" if len(devices) > 3 else "")


def _exception(key: LossKey, scene: Scene) -> Attributed | None:
    name = scene.meanings.programs.get(key.program)
    if key.index == XDP_REDIRECT:
        return None  # A driver's second report of a frame that another event counts.
    facts = _facts(key, scene, MapKind.NONE, name or scene.name(key.origin))
    facts = replace(facts, target=scene.name(key.origin), verdict=key.index)
    if name is None:
        return _explained(facts, NOBODY, foreign=True)
    if key.index != XDP_TX:
        return None  # The rule's misses count it.
    return _explained(facts, _towards(scene.meanings.named(name), key.origin))


def _flushed(key: LossKey, scene: Scene) -> Attributed | None:
    there = scene.meanings.interfaces.get(key.origin)
    facts = _facts(key, scene, MapKind.DEVICE, scene.name(key.origin))
    facts = replace(facts, target=scene.name(key.to))
    if there is None:
        return _explained(facts, NOBODY, foreign=True)
    owner = _towards(there, key.to, tx=key.event == Event.BULK_TX)
    return _explained(replace(facts, egress=key.to in there.egress), owner)


def _cpu(key: LossKey, scene: Scene) -> Attributed | None:
    found = scene.meanings.maps.get(key.map)
    if found is None:
        return None  # Of any namespace: the event names no device.
    owner = _owner(found, key.to)
    rules = _rules_of(found, scene)
    if key.event == Event.CPUMAP_PROGRAM and {rule.then for rule in rules} == {"drop"}:
        return None  # As the rule asks.
    facts = _facts(key, scene, MapKind.CPU, found.interface)
    # The worker's event does not say which CPU it is.
    target = f"cpu {key.to}" if key.event == Event.CPUMAP_ENQUEUE else "its CPU"
    return _explained(replace(facts, target=target), owner)


def _owner(found: MapMeaning, key: int) -> RuleId:
    """The rule that a key of a map belongs to; of a CPUMAP that rules share, the object."""
    owners = found.owners(key) or found.owners(None)
    return _only(owners) or _only({(name, "") for name, _ in owners}) or NOBODY


def sends_on(found: MapMeaning, scene: Scene) -> bool:
    """Whether the program of this CPUMAP sends frames to a device."""
    return any(rule.then == "device" for rule in _rules_of(found, scene))


def _rules_of(found: MapMeaning, scene: Scene) -> list[RuleMeaning]:
    rules = (scene.meanings.rule(found.interface, owner) for owner in found.owners(None))
    return [rule for rule in rules if rule is not None]


def _towards(there: InterfaceMeaning | None, ifindex: int, tx: bool = False) -> RuleId:
    """The rule of an interface that leads to a device; as much of it as is certain."""
    rules = there.rules if there else ()
    back = there is not None and ifindex == there.ifindex
    owners = {
        (rule.object, rule.rule)
        for rule in rules
        if (back and (rule.tx or rule.on_miss == OnMiss.TX))
        or (not tx and (rule.anywhere or ifindex in rule.devices))
    }
    return _only(owners) or _only({(name, "") for name, _ in owners}) or NOBODY


def _only(owners: Collection[RuleId]) -> RuleId | None:
    return next(iter(owners)) if len(owners) == 1 else None


def _facts(key: LossKey, scene: Scene, kind: MapKind, interface: str) -> Facts:
    """What a key says by itself; `interface` is where the frames arrived."""
    there = scene.meanings.named(interface)
    link = scene.host.link(key.to) if kind is not MapKind.CPU else None
    return Facts(
        event=Event(key.event),
        errno=key.error,
        map=kind,
        interface=interface,
        ingress=scene.host.link(there.ifindex if there else key.origin),
        link=link,
        peer=peer_of(link, scene.host) if link else None,
        mode=there.mode if there else XdpMode.NONE,
        cpus=len(scene.host.cpus),
        kernel=scene.host.kernel,
    )


def _explained(facts: Facts, owner: RuleId, foreign: bool = False) -> Attributed:
    reason, hint = explain(facts)
    cause = Cause(
        object=owner[0],
        rule=owner[1],
        reason=reason,
        errno=errno_name(facts.errno) if facts.errno else "",
        interface=facts.interface,
        target=facts.target,
        foreign=foreign,
    )
    return Attributed(cause, hint)
