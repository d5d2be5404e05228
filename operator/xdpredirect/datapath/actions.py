"""A rule's action as lines of bpf/action.h, with the map entries that it needs.

Called by `datapath.layout`. Each function renders one type of action and notes in words where it
leads.
"""

from collections.abc import Iterator, Sequence
from typing import assert_never

from xdpredirect.api.action import (
    Broadcast,
    CPUs,
    CPUTable,
    DeviceGroup,
    DeviceTable,
    Drop,
    OnMiss,
    Pass,
    Route,
    Sockets,
    SpreadBy,
    ToDevice,
    Tx,
)
from xdpredirect.datapath.abi import U32, pack_rewrite
from xdpredirect.datapath.builder import Builder, LayoutConflict
from xdpredirect.datapath.copies import many, route
from xdpredirect.datapath.fields import FLOW, TUNNEL, Field
from xdpredirect.datapath.liveness import is_alive, takes_copies
from xdpredirect.datapath.sockets import sockets
from xdpredirect.datapath.spread import assign, rotate
from xdpredirect.datapath.tables import cpu_table, device_table
from xdpredirect.datapath.wanted import PlacedRule, Target

BROADCAST_MEMBERS = 64
_MISS = {
    OnMiss.PASS: "MISS_PASS",
    OnMiss.DROP: "MISS_DROP",
    OnMiss.TX: "MISS_TX",
    OnMiss.ABORT: "MISS_ABORT",
    OnMiss.CONTINUE: "MISS_CONTINUE",
}
_SPREAD = {
    SpreadBy.FLOW: ("SPREAD_FLOW", FLOW),
    SpreadBy.INNER_FLOW: ("SPREAD_INNER_FLOW", TUNNEL),
    SpreadBy.SOURCE_IP: ("SPREAD_SOURCE_IP", FLOW),
    SpreadBy.DESTINATION_IP: ("SPREAD_DESTINATION_IP", FLOW),
    SpreadBy.RX_QUEUE: ("SPREAD_RX_QUEUE", Field(0)),
    SpreadBy.ROUND_ROBIN: ("SPREAD_ROUND_ROBIN", Field(0)),
}


def render_action(builder: Builder, owner: str, placed: PlacedRule, slot: int) -> list[str]:
    """Lines of one action; what it leads to goes into `builder.targets`."""
    rule = builder.rule = (owner, placed.rule.name)
    miss = _MISS[placed.rule.on_miss]
    match placed.rule.action:
        case Pass():
            lines, words = [f"PASS({slot})"], ["network stack"]
        case Drop():
            lines, words = [f"DROP({slot})"], []
        case Tx():
            lines, words = _tx(builder, placed.rule.action, slot)
        case ToDevice(name=name):
            lines, words = _device(builder, placed.devices[name], slot, miss)
        case DeviceGroup():
            lines, words = _group(builder, placed, placed.rule.action, slot, miss)
        case Broadcast():
            lines, words = _broadcast(builder, placed, slot, miss)
        case CPUs():
            lines, words = _cpus(builder, rule, placed, slot, miss)
        case DeviceTable():
            lines, words = device_table(builder, rule, placed, slot, miss)
        case CPUTable():
            lines, words = cpu_table(builder, rule, placed, slot, miss)
        case Sockets():
            lines, words = sockets(builder, placed, placed.rule.action, slot, miss)
        case Route(table=table):
            lines, words = route(builder, table, slot, miss)
        case _:
            assert_never(placed.rule.action)
    builder.targets[rule] = tuple(words)
    return lines


def _tx(builder: Builder, action: Tx, slot: int) -> tuple[list[str], list[str]]:
    link = builder.wanted.link
    if action.rewrite is None:
        return [f"TX({slot}, 0, NO_REWRITE)"], [link.name]
    # The index carries a rewrite only; as no device entry is behind it, nothing can be sent there.
    index = builder.devices([None])
    builder.rewrites[U32.pack(index)] = pack_rewrite(action.rewrite, link.mac)
    return [f"TX({slot}, {index}, REWRITE)"], [link.name]


def dressed(targets: Sequence[Target | None]) -> str:
    """Whether the program has to look for a rewrite after it found the target."""
    return "REWRITE" if any(target and target.rewrite for target in targets) else "NO_REWRITE"


def word(target: Target) -> str:
    """A target in a status line."""
    if target.link is None:
        return f"{target.name} (missing)"
    if target.link.name == target.name:
        return target.name
    return f"{target.name} = {target.link.name}"


def _device(
    builder: Builder, targets: tuple[Target, ...], slot: int, miss: str
) -> tuple[list[str], list[str]]:
    first = targets[0]
    index = builder.devices([first])
    return [f"DEVICE({slot}, {index}, {dressed([first])}, {miss})"], [word(first)]


def _spread_word(builder: Builder, by: SpreadBy) -> str:
    text, used = _SPREAD[by]
    builder.use(used)
    if used:
        builder.use(FLOW)
        builder.find("FLOW")
        if many(builder, DeviceGroup | CPUs):
            builder.define("FLOW_ONCE", 1)
    if by is SpreadBy.INNER_FLOW:
        builder.define("INNER_FLOW", 1)
        builder.find("TUNNEL")
    return text


def _group(
    builder: Builder, placed: PlacedRule, action: DeviceGroup, slot: int, miss: str
) -> tuple[list[str], list[str]]:
    targets = {member.name: placed.devices[member.name][0] for member in action.members}
    alive = frozenset(name for name, t in targets.items() if t.link and is_alive(builder, t.link))
    owners = assign([(m.name, m.weight) for m in action.members], alive)
    base = builder.devices([targets[owner] if owner else None for owner in owners])
    spread = _spread_word(builder, action.spread_by)
    rewrite = dressed(list(targets.values()))
    words = [f"{word(targets[m.name])} {owners.count(m.name) / 2.56:.0f}%" for m in action.members]
    return [f"GROUP({slot}, {base}, {spread}, {rewrite}, {miss})"], words


def _members(action: Broadcast, placed: PlacedRule) -> Iterator[Target]:
    seen: set[int] = set()
    for name in action.devices:
        for target in placed.devices[name]:
            if target.link is None or target.link.ifindex not in seen:
                seen.add(target.link.ifindex if target.link else 0)
                yield target


def _broadcast(
    builder: Builder, placed: PlacedRule, slot: int, miss: str
) -> tuple[list[str], list[str]]:
    action = placed.rule.action
    assert isinstance(action, Broadcast)
    builder.make_room(builder.broadcasts, "Broadcast rules", "put their devices into fewer rules")
    members = list(_members(action, placed))[:BROADCAST_MEMBERS]
    entries, live = {}, 0
    for index, target in enumerate(members):
        value = builder.device_value(target)
        # A member that is down stops generic XDP from serving those after it
        # (kernel/bpf/devmap.c: dev_map_redirect_multi); native XDP would only pass it over.
        if value is None or target.link is None or not target.link.up:
            continue
        entries[U32.pack(index)] = value
        live += takes_copies(builder, target.link, action.exclude_ingress)
    name, number = builder.broadcast(entries, live)
    flags = 1 << 3 | (1 << 4 if action.exclude_ingress else 0)
    return [f"BROADCAST({slot}, {name}, {number}, {flags}, {miss})"], [word(t) for t in members]


def _cpus(
    builder: Builder, rule: tuple[str, str], placed: PlacedRule, slot: int, miss: str
) -> tuple[list[str], list[str]]:
    action = placed.rule.action
    assert isinstance(action, CPUs)
    alive = [cpu for cpu in placed.cpus if cpu in builder.machine.online]
    if action.spread_by in (SpreadBy.RX_QUEUE, SpreadBy.ROUND_ROBIN):
        owners = rotate([str(cpu) for cpu in alive])
    else:
        owners = assign([(str(cpu), 1) for cpu in placed.cpus], frozenset(map(str, alive)))
    base = builder.spread([int(o) if o else None for o in owners], fallback=builder.machine.cpus)
    device = action.then.device
    then = builder.then(action.then, None if device is None else placed.devices[device][0])
    name = builder.cpumap(rule, alive, action.queue_size, then)
    spread = _spread_word(builder, action.spread_by)
    words = [f"cpu {cpu}" for cpu in alive]
    return [f"CPUS({slot}, {name}, {base}, {spread}, {miss})"], words


def collect_egress(builder: Builder) -> None:
    """Note which devices need the egress program: members of a broadcast that are rewritten.

    The kernel's bulk queue keeps the egress program of its first frame, so on these devices every
    entry carries it, and two wishes for one device cannot both be had.
    """
    for placed, rule in ((o, r) for o in builder.wanted.objects for r in o.rules):
        if isinstance(rule.rule.action, Broadcast):
            for target in _members(rule.rule.action, rule):
                if target.rewrite and target.link:
                    packed = pack_rewrite(target.rewrite, target.link.mac)
                    _agree(builder, placed.name, target, packed)
                    builder.egress[target.link.ifindex] = packed
    for placed, rule in ((o, r) for o in builder.wanted.objects for r in o.rules):
        for targets in rule.devices.values():
            for target in targets:
                if target.link and target.link.ifindex in builder.egress:
                    packed = pack_rewrite(target.rewrite, target.link.mac)
                    _agree(builder, placed.name, target, packed)


def _agree(builder: Builder, owner: str, target: Target, packed: bytes) -> None:
    assert target.link is not None
    if builder.egress.get(target.link.ifindex, packed) != packed:
        raise LayoutConflict(
            owner,
            "RewriteConflict",
            f"frames to {target.link.name} are rewritten differently by a broadcast and by "
            "another rule, and the kernel keeps one egress program for a device; give both the "
            "same rewrite",
        )
