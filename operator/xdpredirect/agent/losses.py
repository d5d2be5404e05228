"""Whose frames a count of the drop monitor is about, and why they were lost. Pure.

Called by `agent.ledger` for every count that grew. Each frame is counted once: where two events
report the same one, or a tracepoint and our own counters do, the other one is left out here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
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
UNLISTED = LossKey(Event.UNLISTED, 0, 0, 0, 0, 0, 0)
NO_ENTRY, MEMBERS = "(no entry)", "(members)"
# What the kernel shows for bpf_redirect(), whose target is an ifindex, and for no helper at all.
NO_MAP, NO_HELPER = 0x7FFFFFFF, 0
_KINDS = {
    MapType.DEVMAP: MapKind.DEVICE,
    MapType.DEVMAP_HASH: MapKind.DEVICE,
    MapType.CPUMAP: MapKind.CPU,
    MapType.XSKMAP: MapKind.SOCKET,
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
    """A cause in words."""

    cause: Cause
    hint: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What attribution looks things up in. `types` has the kernel's numbers of the types of maps
    that are not ours, by id, as far as they are known."""

    meanings: Meanings
    host: Host
    types: Mapping[int, int] = field(default_factory=dict)

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
    return _explained(Facts(event=Event.UNLISTED), NOBODY) if key == UNLISTED else None


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
        return _refused_elsewhere(key, scene)
    kind = _KINDS[MapType(found.type)]
    if kind is MapKind.CPU and key.error == ENOSPC:
        return None  # Generic mode; xdp_cpumap_enqueue reports the same frame.
    owner = _owner(found, key.index)
    rule = scene.meanings.rule(found.interface, owner)
    broadcast = kind is MapKind.DEVICE and (rule.broadcast if rule else not key.to)
    facts = _facts(key, scene, kind, found.interface, broadcast)
    return _explained(replace(facts, target=_target(key, kind, scene, broadcast)), owner)


def _refused_elsewhere(key: LossKey, scene: Scene) -> Attributed:
    """Refused by a map that is not ours, or without a map."""
    kind = _kind(key, scene)
    if key.map == NO_MAP:
        key = key._replace(to=key.index)
    # The kernel looks one target up, unless there are to be several.
    broadcast = kind is MapKind.DEVICE and not key.to
    facts = _facts(key, scene, kind, scene.name(key.origin), broadcast)
    facts = replace(facts, target=_target(key, kind, scene, broadcast))
    return _explained(facts, NOBODY, key.program not in scene.meanings.programs)


def _kind(key: LossKey, scene: Scene) -> MapKind:
    if key.map in (NO_MAP, NO_HELPER):
        return MapKind.NONE
    if key.map in scene.types:
        return _KINDS.get(MapType(scene.types[key.map]), MapKind.UNKNOWN)
    # Only of a device does the monitor note the number.
    return MapKind.DEVICE if key.to else MapKind.UNKNOWN


def _target(key: LossKey, kind: MapKind, scene: Scene, broadcast: bool) -> str:
    """The target in words. Of a broadcast the kernel names no member, or the first one, whichever
    it was that did not get its copy."""
    if broadcast:
        return MEMBERS
    if kind in (MapKind.CPU, MapKind.SOCKET):
        return f"{'cpu' if kind is MapKind.CPU else 'socket'} {key.index}"
    return scene.name(key.to) if key.to else ""


def _exception(key: LossKey, scene: Scene) -> Attributed | None:
    name = scene.meanings.programs.get(key.program)
    if key.index == XDP_REDIRECT:
        return None  # A driver's second report of one frame.
    facts = _facts(key, scene, MapKind.NONE, name or scene.name(key.origin))
    facts = replace(facts, target=scene.name(key.origin), verdict=key.index)
    if name is None:
        mode = facts.ingress.xdp_mode if facts.ingress else XdpMode.NONE
        return _explained(replace(facts, mode=mode), NOBODY, foreign=True)
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
    return _explained(replace(facts, target=f"cpu {key.to}"), owner)


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


def _facts(
    key: LossKey, scene: Scene, kind: MapKind, interface: str, broadcast: bool = False
) -> Facts:
    """What a key says by itself; `interface` is where the frames arrived."""
    there = scene.meanings.named(interface)
    one = kind is not MapKind.CPU and not broadcast
    link = scene.host.link(key.to) if one else None
    return Facts(
        event=Event(key.event),
        errno=key.error,
        map=kind,
        interface=interface,
        ingress=scene.host.link(there.ifindex if there else key.origin),
        link=link,
        peer=peer_of(link, scene.host) if link else None,
        mode=there.mode if there else XdpMode.NONE,
        broadcast=broadcast,
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
