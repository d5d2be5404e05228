"""What the numbers in the drop monitor's counts stand for: map and program ids, and ifindexes.

Made from every pass, and remembered in the ledger: counts of a program that was swapped out, or of
a device that is gone, are read after it went. Pure; called by `agent.machine`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from xdpredirect.agent.desired import Desired, DesiredInterface
from xdpredirect.agent.observed import Observed
from xdpredirect.api.action import Broadcast, CPUs, Route, Tx
from xdpredirect.datapath.mapspec import MapType
from xdpredirect.datapath.wanted import PlacedRule
from xdpredirect.host import Host, XdpMode

REMEMBERED = 256
"""Dead maps and programs that are remembered; ids grow, so the largest are the latest."""
_REDIRECTS = (MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP, MapType.XSKMAP)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleMeaning:
    """A rule on one interface. `devices` are the ifindexes that it leads to, `anywhere` says that
    it follows the routing table; `then` is what a CPUMAP program does: stack, drop or device."""

    object: str
    rule: str
    on_miss: str
    devices: tuple[int, ...] = ()
    anywhere: bool = False
    tx: bool = False
    broadcast: bool = False
    then: str = "stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Keys `first` to `first + count - 1` of a map are those of `rule` of `object`."""

    first: int
    count: int
    object: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MapMeaning:
    """One map of one generation. `type` is its number in the kernel."""

    id: int
    interface: str
    name: str
    type: int
    sections: tuple[Section, ...]

    def owners(self, key: int | None) -> set[tuple[str, str]]:
        """(object, rule) that the key belongs to; of any key for None."""
        return {
            (s.object, s.rule)
            for s in self.sections
            if key is None or s.first <= key < s.first + s.count
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceMeaning:
    """An interface that carries a program of ours. `egress` are ifindexes with a program of ours
    on the way out. `ifindex` is negative for one in another network namespace, whose number there
    may be that of another one here."""

    name: str
    ifindex: int
    mode: XdpMode
    rules: tuple[RuleMeaning, ...]
    egress: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Meanings:
    """`maps` and `programs` by id (a program's value is its interface), `interfaces` and the
    names of all `links` by ifindex."""

    maps: Mapping[int, MapMeaning] = field(default_factory=dict)
    programs: Mapping[int, str] = field(default_factory=dict)
    interfaces: Mapping[int, InterfaceMeaning] = field(default_factory=dict)
    links: Mapping[int, str] = field(default_factory=dict)

    def rule(self, interface: str, owner: tuple[str, str]) -> RuleMeaning | None:
        """A rule by interface and (object, rule)."""
        rules = (r for i in self.interfaces.values() if i.name == interface for r in i.rules)
        return next((r for r in rules if (r.object, r.rule) == owner), None)

    def named(self, interface: str) -> InterfaceMeaning | None:
        """The interface of that name."""
        return next((i for i in self.interfaces.values() if i.name == interface), None)


def meanings_of(desired: Desired, seen: Observed, host: Host) -> Meanings:
    """What can be said about what is in the kernel now. Keys of maps of other generations than
    the wanted one are unknown here; the ledger remembers them."""
    maps, programs, interfaces = {}, {}, {}
    for name, there in seen.interfaces.items():
        item = desired.interfaces.get(name)
        for digest, generation in there.generations.items():
            if generation.program:
                programs[generation.program] = name
            known = item is not None and digest == item.layout.digest
            sections = _sections(item) if item is not None and known else {}
            for map_name, found in generation.maps.items():
                # A map that two generations share is known by the wanted one.
                if found.spec.type in _REDIRECTS and (known or found.id not in maps):
                    maps[found.id] = MapMeaning(
                        id=found.id,
                        interface=name,
                        name=map_name,
                        type=found.spec.type,
                        sections=sections.get(map_name, ()),
                    )
        if there.attached_to and item is not None:
            number = -there.attached_to if there.away else there.attached_to
            interfaces[number] = InterfaceMeaning(
                name=name,
                ifindex=number,
                mode=there.mode,
                rules=tuple(_rules(item)),
                egress=_egress(item),
            )
    links = {link.ifindex: link.name for link in host.links}
    return Meanings(maps=maps, programs=programs, interfaces=interfaces, links=links)


def merge(old: Meanings, new: Meanings) -> Meanings:
    """Both; the new one wins, except that known sections are not forgotten."""
    maps = {**old.maps, **new.maps}
    for number, found in old.maps.items():
        if found.sections and not maps[number].sections:
            maps[number] = found
    return Meanings(
        maps=maps,
        programs={**old.programs, **new.programs},
        interfaces={**old.interfaces, **new.interfaces},
        links={**old.links, **new.links},
    )


def to_remember(merged: Meanings, now: Meanings) -> Meanings:
    """What the next pass needs: what is there now, and the latest of what is gone."""
    return Meanings(
        maps=_latest(merged.maps, now.maps),
        programs=_latest(merged.programs, now.programs),
        interfaces=now.interfaces,
        links=now.links,
    )


def _latest(merged: Mapping[int, T], now: Mapping[int, T]) -> dict[int, T]:
    gone = sorted(merged.keys() - now.keys())[-REMEMBERED:]
    return {number: merged[number] for number in (*gone, *now)}


def _sections(item: DesiredInterface) -> dict[str, tuple[Section, ...]]:
    found: dict[str, tuple[Section, ...]] = {}
    for place in item.layout.places:
        owner, rule = place.rule
        section = Section(first=place.first, count=place.count, object=owner, rule=rule)
        found[place.map] = (*found.get(place.map, ()), section)
    return found


def _rules(item: DesiredInterface) -> Iterator[RuleMeaning]:
    for placed in item.wanted.objects:
        for rule in placed.rules:
            yield _rule(placed.name, rule)


def _rule(owner: str, placed: PlacedRule) -> RuleMeaning:
    action = placed.rule.action
    links = [t.link for targets in placed.devices.values() for t in targets if t.link]
    then = "stack"
    if isinstance(action, CPUs):
        then = "drop" if action.then.drop else "device" if action.then.device else "stack"
    return RuleMeaning(
        object=owner,
        rule=placed.rule.name,
        on_miss=placed.rule.on_miss,
        devices=tuple(sorted({link.ifindex for link in links})),
        anywhere=isinstance(action, Route),
        tx=isinstance(action, Tx),
        broadcast=isinstance(action, Broadcast),
        then=then,
    )


def _egress(item: DesiredInterface) -> tuple[int, ...]:
    """Devices that copies are rewritten for on the way out (datapath.actions.collect_egress)."""
    return tuple(
        sorted(
            {
                target.link.ifindex
                for placed in item.wanted.objects
                for rule in placed.rules
                if isinstance(rule.rule.action, Broadcast)
                for targets in rule.devices.values()
                for target in targets
                if target.rewrite and target.link
            }
        )
    )
