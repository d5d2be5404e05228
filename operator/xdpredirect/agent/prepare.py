"""`prepare: Apply`: which settings of links to change so that no frame is lost, and how to put them
back. Pure: `wanted_settings` says what has to hold, `plan_prepare` how to get there.

Called by the agent's planner. The actions are carried out by `kernel.prepare`, except AttachPass
and DetachPass, which attach programs and belong with those that do.

What a setting was is on disk before it changes, so that an agent that died can still put it back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from xdpredirect.agent.findings.ingress import WITHOUT_MAC_FILTER
from xdpredirect.agent.findings.usage import Usage, peer_of
from xdpredirect.host import Host, Link, XdpFeatures, XdpMode

PROMISCUOUS, PASS_PROGRAM = "promiscuous", "pass-program"
_SENDER_VLAN = ("tx-vlan-hw-insert", "tx-vlan-stag-hw-insert")
_MERGING = ("rx-gro", "rx-gro-hw", "rx-lro")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Setting:
    """One switch of one link: `knob` is an ethtool feature name, PROMISCUOUS or PASS_PROGRAM."""

    ifindex: int
    knob: str
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Recorded:
    """What a setting was before it was changed. `mac` tells a recycled ifindex from the link."""

    ifindex: int
    mac: bytes
    knob: str
    original: bool


@dataclass(frozen=True, slots=True)
class Record:
    """Write down the original, durably."""

    recorded: Recorded


@dataclass(frozen=True, slots=True)
class Forget:
    """The original is back, or its link is gone: drop the record."""

    recorded: Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOffload:
    """Turn an ethtool feature of a link on or off. `name` is for the reader."""

    ifindex: int
    name: str
    offload: str
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPromiscuous:
    """Set or clear IFF_PROMISC. `name` is for the reader."""

    ifindex: int
    name: str
    on: bool


@dataclass(frozen=True, slots=True)
class AttachPass:
    """Attach, in native mode, our program that passes everything, where no program is."""

    ifindex: int


@dataclass(frozen=True, slots=True)
class DetachPass:
    """Take that program away again; another one in its place is left alone."""

    ifindex: int


SettingAction = Record | Forget | SetOffload | SetPromiscuous
PrepareAction = SettingAction | AttachPass | DetachPass


def wanted_settings(
    usages: Sequence[Usage], recorded: Sequence[Recorded], host: Host
) -> tuple[Setting, ...]:
    """What has to hold for the usages with `prepare`, sorted. `usages` are all of the machine: no
    pass program goes where a redirect program is. What was prepared stays wanted while it is used,
    although the observation now looks as if it were not needed."""
    carrying = {usage.interface.ifindex for usage in usages if not usage.interface.away}
    prepared = {(entry.ifindex, entry.knob) for entry in recorded}
    found: dict[tuple[int, str], bool] = {}
    for usage in usages:
        if not usage.prepare:
            continue
        for setting in (
            *_ingress(usage, host),
            *_tx_on_veth(usage, prepared, host),
            *(s for link in _receivers(usage) for s in _transmit(link, prepared, host)),
        ):
            if setting.knob == PASS_PROGRAM and setting.ifindex in carrying:
                continue
            # One wants GRO off and one wants it on: without it every frame would be lost.
            key = setting.ifindex, setting.knob
            found[key] = setting.on or found.get(key, False)
    return tuple(Setting(ifindex=i, knob=k, on=on) for (i, k), on in sorted(found.items()))


def plan_prepare(
    wanted: Sequence[Setting], recorded: Sequence[Recorded], host: Host
) -> tuple[PrepareAction, ...]:
    """Restores what is no longer wanted, then changes what is; empty when all is as it should be.

    A setting that already is as wanted is not recorded: it is the user's, and stays.
    """
    by_index = {link.ifindex: link for link in host.links}
    goals = {(setting.ifindex, setting.knob): setting.on for setting in wanted}
    actions: list[PrepareAction] = []
    known: set[tuple[int, str]] = set()
    for entry in sorted(recorded):
        link, key = by_index.get(entry.ifindex), (entry.ifindex, entry.knob)
        if link is None or link.mac != entry.mac:
            actions.append(Forget(entry))
        elif key in goals and goals[key] != entry.original:
            known.add(key)
        else:
            if _state(link, entry.knob) is not entry.original:
                actions.append(_change(link, entry.knob, entry.original))
            actions.append(Forget(entry))
            # Where the original is what is wanted now, nothing remains to be done.
            goals.pop(key, None)
    for (ifindex, knob), on in sorted(goals.items()):
        link = by_index.get(ifindex)
        state = _state(link, knob) if link is not None else None
        if link is None or state is None or state is on:
            continue
        if (ifindex, knob) not in known:
            original = Recorded(ifindex=ifindex, mac=link.mac, knob=knob, original=state)
            actions.append(Record(original))
        actions.append(_change(link, knob, on))
    return tuple(actions)


def _ingress(usage: Usage, host: Host) -> Iterator[Setting]:
    """What the interface on which frames arrive, or who sends to it, has to do without."""
    link, peer = usage.interface, peer_of(usage.interface, host)
    if link.away:
        return
    sends, native = usage.redirects or usage.tx, usage.mode is XdpMode.NATIVE
    if native or usage.matches_vlan:
        if link.kind != "veth":
            yield from _settings(link, ["rx-vlan-hw-parse"], on=False)
        elif peer is not None:
            yield from _settings(peer, _SENDER_VLAN, on=False)
    if sends and peer is not None:
        # In generic mode this is what ends the peer's segmentation offload.
        yield from _settings(peer, ["tx-checksum-ip-generic"], on=False)
    if usage.redirects and usage.mode is XdpMode.GENERIC:
        yield from _settings(link, _MERGING, on=False)
    elif native:
        yield from _settings(link, ["rx-lro"], on=False)
    if usage.wire and link.kind not in WITHOUT_MAC_FILTER:
        yield from _settings(link, [PROMISCUOUS], on=True)


def _tx_on_veth(usage: Usage, prepared: set[tuple[int, str]], host: Host) -> Iterator[Setting]:
    """TX wakes the peer only if it has a program of its own; GRO does not help."""
    peer = peer_of(usage.interface, host)
    if not usage.tx or usage.mode is not XdpMode.NATIVE or peer is None:
        return
    if peer.xdp_prog_id == 0 or (peer.ifindex, PASS_PROGRAM) in prepared:
        yield from _settings(peer, [PASS_PROGRAM], on=True)


def _receivers(usage: Usage) -> Iterator[Link]:
    """Links that native XDP transmits through."""
    if usage.mode is not XdpMode.NATIVE:
        return
    for target in usage.targets:
        if target.link is not None:
            yield target.link


def _transmit(link: Link, prepared: set[tuple[int, str]], host: Host) -> Iterator[Setting]:
    """What makes the driver of `link` accept XDP frames; nothing where it already does."""
    if link.features is None:
        return
    lacking = not link.features & XdpFeatures.NDO_XMIT
    if link.kind != "veth":
        alone = lacking and link.xdp_prog_id == 0 and bool(link.features & XdpFeatures.BASIC)
        if alone or (link.ifindex, PASS_PROGRAM) in prepared:
            yield from _settings(link, [PASS_PROGRAM], on=True)
        return
    peer = peer_of(link, host)
    if peer is None:
        return
    gro = (peer.ifindex, "rx-gro") in prepared
    if gro or (lacking and not peer.offloads.get("rx-gro")):
        yield from _settings(peer, ["rx-gro"], on=True)
    stubborn = lacking and peer.up and bool(peer.offloads.get("rx-gro")) and peer.xdp_prog_id == 0
    if stubborn or (peer.ifindex, PASS_PROGRAM) in prepared:
        # Before 6.18 GRO that was on before the link came up does not count.
        yield from _settings(peer, [PASS_PROGRAM], on=True)


def _settings(link: Link, knobs: Iterable[str], *, on: bool) -> Iterator[Setting]:
    return (Setting(ifindex=link.ifindex, knob=knob, on=on) for knob in knobs)


def _state(link: Link, knob: str) -> bool | None:
    """Whether it is on now; None for an offload that the device does not know."""
    if knob == PROMISCUOUS:
        return link.promiscuity > 0
    if knob == PASS_PROGRAM:
        return link.xdp_prog_id != 0
    return link.offloads.get(knob)


def _change(link: Link, knob: str, on: bool) -> PrepareAction:
    if knob == PROMISCUOUS:
        return SetPromiscuous(ifindex=link.ifindex, name=link.name, on=on)
    if knob == PASS_PROGRAM:
        return AttachPass(link.ifindex) if on else DetachPass(link.ifindex)
    return SetOffload(ifindex=link.ifindex, name=link.name, offload=knob, on=on)
