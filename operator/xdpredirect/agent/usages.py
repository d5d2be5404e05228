"""What the pre-flight checks need to know of the desired interfaces. Pure; called by
`agent.loop`."""

from collections.abc import Iterator, Mapping

from xdpredirect.agent.desired import Desired, DesiredInterface
from xdpredirect.agent.findings import Target, Usage
from xdpredirect.api.action import Broadcast, CPUs, CPUTable, Drop, Pass, Then, ToDevice, Tx
from xdpredirect.api.redirect import Mode, Prepare, Protect, XdpRedirect
from xdpredirect.datapath.wanted import PlacedObject, PlacedRule
from xdpredirect.host import Link, XdpFeatures, XdpMode


def usages(
    desired: Desired,
    redirects: Mapping[str, XdpRedirect],
    carrier_changes: Mapping[int, int],
) -> tuple[Usage, ...]:
    """One Usage per object and interface. `carrier_changes` were counted before attaching."""
    return tuple(
        _usage(item, placed, redirects[placed.name], carrier_changes.get(item.wanted.link.ifindex))
        for item in desired.interfaces.values()
        for placed in item.wanted.objects
    )


def _usage(
    item: DesiredInterface, placed: PlacedObject, redirect: XdpRedirect, carrier: int | None
) -> Usage:
    rules = placed.rules
    return Usage(
        object=placed.name,
        interface=item.wanted.link,
        mode=effective_mode(item.wanted.mode, item.wanted.link),
        redirects=any(not isinstance(r.rule.action, Pass | Drop) for r in rules),
        wire=placed.protect is Protect.NONE
        and any(r.rule.match.all and isinstance(r.rule.action, ToDevice) for r in rules),
        tx=any(isinstance(r.rule.action, Tx) for r in rules),
        matches_vlan=any(_asks_vlan(r) for r in rules),
        frags=item.layout.frags,
        targets=tuple(target for r in rules for target in _targets(r)),
        carrier_changes_before=carrier,
        prepare=redirect.spec.prepare is Prepare.APPLY,
        stack_by_cpu=tuple(r.rule.name for r in rules if _to_stack_by_cpu(r)),
        auto=item.wanted.mode is Mode.AUTO,
    )


def _to_stack_by_cpu(placed: PlacedRule) -> bool:
    action = placed.rule.action
    return isinstance(action, CPUTable) or (isinstance(action, CPUs) and action.then == Then())


def effective_mode(mode: Mode, link: Link) -> XdpMode:
    """How the interface is attached, or would be."""
    if link.xdp_mode is not XdpMode.NONE and mode is Mode.AUTO:
        return link.xdp_mode
    if mode is Mode.GENERIC:
        return XdpMode.GENERIC
    if mode is Mode.AUTO and not (link.features or XdpFeatures(0)) & XdpFeatures.BASIC:
        return XdpMode.GENERIC
    return XdpMode.NATIVE


def _asks_vlan(placed: PlacedRule) -> bool:
    match = placed.rule.match
    return bool(match.vlan_ids or match.inner_vlan_ids or match.vlan_tags)


def _targets(placed: PlacedRule) -> Iterator[Target]:
    rule, action = placed.rule.name, placed.rule.action
    kind = "broadcast" if isinstance(action, Broadcast) else "device"
    for name, targets in placed.devices.items():
        for target in targets if kind == "broadcast" else targets[:1]:
            if kind == "broadcast":
                yield Target(rule=rule, kind="broadcast", name=name, link=target.link)
            else:
                yield Target(rule=rule, kind="device", name=name, link=target.link)
    cpus = placed.cpus
    if isinstance(action, CPUTable):
        cpus = tuple(sorted({entry.cpu for entry in action.entries}))
    if isinstance(action, CPUs | CPUTable):
        for cpu in cpus:
            yield Target(rule=rule, kind="cpu", name=f"cpu {cpu}", cpu=cpu)
