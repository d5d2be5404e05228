"""The plan: what to do so that the kernel runs what is wanted. Pure and total.

Every prefix of a plan leaves a working datapath behind, and planning again after it leads to the
same end: maps are filled before the program that reads them is attached, new entries come before
the swap, old ones go after it, and a generation counts only once its main program is pinned.
"""

from collections.abc import Iterator, Mapping

from xdpredirect.agent.actions import (
    Action,
    CreateInterface,
    CreateMap,
    DeleteEntries,
    FreeSlots,
    LoadProgram,
    NameSlots,
    PutEntries,
    RemoveGeneration,
    RemoveInterface,
)
from xdpredirect.agent.observed import ObservedGeneration, ObservedInterface, ObservedMap
from xdpredirect.agent.plan_attach import attach, detach
from xdpredirect.datapath.abi import U32
from xdpredirect.datapath.layout import Layout
from xdpredirect.datapath.mapspec import MapType
from xdpredirect.datapath.pieces import MapWanted
from xdpredirect.datapath.wanted import WantedInterface

MAIN = "redirect"
_GENERATION_KEY = U32.pack(0)
_INDEX = (MapType.LPM_TRIE,)
_EMPTY = ObservedInterface(name="", counters=False, slots={}, generations={})
_REFERRING = {"lpm4": 1, "lpm6": 1, "keys": 1, "spread": 1, "live": 1, "generation": 2}
"""Maps whose values name entries of other maps are written after those."""


def plan_interface(
    wanted: WantedInterface, layout: Layout, seen: ObservedInterface | None
) -> tuple[Action, ...]:
    """Actions for one interface that has objects. `layout` was made with `seen`'s slots."""
    return tuple(_plan(wanted, layout, seen or _EMPTY))


def plan_removal(seen: ObservedInterface) -> tuple[Action, ...]:
    """Actions for an interface that has none any more: detach first, then clear."""
    actions: list[Action] = []
    if seen.attached_to or seen.dead_link:
        actions.append(detach(seen))
    actions += (
        RemoveGeneration(interface=seen.name, generation=digest)
        for digest in sorted(seen.generations)
    )
    return (*actions, RemoveInterface(interface=seen.name))


def _plan(wanted: WantedInterface, layout: Layout, seen: ObservedInterface) -> Iterator[Action]:
    name = wanted.link.name
    if not seen.counters:
        yield CreateInterface(interface=name)
    new_slots = {
        slot: rule
        for rule, slot in sorted(layout.slots.items(), key=lambda item: item[1])
        if seen.slots.get(slot) != rule
    }
    if new_slots:
        yield NameSlots(interface=name, slots=new_slots)
    generation = seen.generations.get(layout.digest)
    whole = generation if generation is not None and generation.program else None
    if whole is None:
        if generation is not None:
            yield RemoveGeneration(interface=name, generation=layout.digest)
        yield from _create(name, layout, seen)
    else:
        yield from _fill(name, layout, whole)
    yield from attach(wanted, layout, seen, whole)
    if whole is not None:
        yield from _clear(name, layout, whole)
    yield from (
        RemoveGeneration(interface=name, generation=digest)
        for digest in sorted(seen.generations)
        if digest != layout.digest
    )
    unused = tuple(sorted(set(seen.slots) - set(layout.slots.values())))
    if unused:
        yield FreeSlots(interface=name, slots=unused)


def _create(name: str, layout: Layout, seen: ObservedInterface) -> Iterator[Action]:
    for wanted in layout.maps:
        kept_from = _holder(wanted, layout, seen) if wanted.kept else ""
        yield CreateMap(
            interface=name, generation=layout.digest, spec=wanted.spec, kept_from=kept_from
        )
    for program in layout.programs:
        if program.name != MAIN:
            yield _load(name, layout, program.name)
    for wanted in sorted(layout.maps, key=_order):
        entries = wanted.entries
        if wanted.spec.name == "generation":
            entries = {_GENERATION_KEY: U32.pack(1)}
        if entries:
            yield _put(name, layout, wanted, entries)
    yield _load(name, layout, MAIN)


def _holder(wanted: MapWanted, layout: Layout, seen: ObservedInterface) -> str:
    """Digest of the generation whose map of that name goes on: the one that runs, for others may
    be left from an accident; empty without one."""
    holders = [
        generation
        for digest, generation in sorted(seen.generations.items())
        if digest != layout.digest
        and generation.program
        and wanted.spec.name in generation.maps
        and generation.maps[wanted.spec.name].spec == wanted.spec
    ]
    holders.sort(key=lambda generation: generation.program != seen.running)
    return holders[0].digest if holders else ""


def _load(name: str, layout: Layout, program: str) -> LoadProgram:
    return LoadProgram(
        interface=name,
        generation=layout.digest,
        program=next(p for p in layout.programs if p.name == program),
        maps=layout.maps,
        frags=layout.frags,
    )


def _put(
    name: str, layout: Layout, wanted: MapWanted, entries: Mapping[bytes, bytes]
) -> PutEntries:
    return PutEntries(
        interface=name,
        generation=layout.digest,
        map=wanted.spec.name,
        entries=entries,
        program=wanted.program,
    )


def _order(wanted: MapWanted) -> tuple[int, int]:
    return _REFERRING.get(wanted.spec.name, 0), wanted.number


def _fill(name: str, layout: Layout, seen: ObservedGeneration) -> Iterator[Action]:
    """New and changed entries, targets before what refers to them."""
    for wanted in sorted(layout.maps, key=_order):
        if wanted.spec.type not in _INDEX:
            entries = _differing(wanted, seen.maps[wanted.spec.name])
            if entries and wanted.spec.name != "generation":
                yield _put(name, layout, wanted, entries)
    generation = next((m for m in layout.maps if m.spec.name == "generation"), None)
    if generation is not None:
        yield from _change_index(name, layout, generation, seen)


def _differing(wanted: MapWanted, there: ObservedMap) -> dict[bytes, bytes]:
    if there.entries is None or wanted.entries is there.entries:
        return {}
    seen = there.entries
    return {key: value for key, value in wanted.entries.items() if seen.get(key) != value}


def _change_index(
    name: str, layout: Layout, generation: MapWanted, seen: ObservedGeneration
) -> Iterator[Action]:
    """Change the address index behind its caches, which every new generation of it empties.

    It is even while the index changes and odd after that, so that whoever is cut off in between
    leaves the emptying of the caches to the next plan.
    """
    tries = [m for m in layout.maps if m.spec.type in _INDEX]
    changes: list[Action] = [
        _put(name, layout, wanted, entries)
        for wanted in tries
        if (entries := _differing(wanted, seen.maps[wanted.spec.name]))
    ]
    changes += [_delete(name, layout, m, stale) for m in tries if (stale := _stale(m, seen))]
    there = seen.maps["generation"].entries or {}
    (number,) = U32.unpack(there.get(_GENERATION_KEY, U32.pack(0)))
    if number % 2 and not changes:
        return
    if number % 2:
        number = _following(number)
        yield _put(name, layout, generation, {_GENERATION_KEY: U32.pack(number)})
    yield from changes
    yield _put(name, layout, generation, {_GENERATION_KEY: U32.pack(_following(number))})


def _following(number: int) -> int:
    """The next generation: odd after even; never 0, which empty caches hold."""
    return number + 1 if number < 0xFFFFFFFF else 2


def _stale(wanted: MapWanted, seen: ObservedGeneration) -> tuple[bytes, ...]:
    there = seen.maps[wanted.spec.name].entries
    if there is None or there is wanted.entries or wanted.spec.name == "generation":
        return ()
    return tuple(key for key in there if key not in wanted.entries)


def _delete(name: str, layout: Layout, wanted: MapWanted, keys: tuple[bytes, ...]) -> DeleteEntries:
    return DeleteEntries(interface=name, generation=layout.digest, map=wanted.spec.name, keys=keys)


def _clear(name: str, layout: Layout, seen: ObservedGeneration) -> Iterator[Action]:
    """Entries that are not wanted any more; array slots are zeroed."""
    for wanted in sorted(layout.maps, key=_order, reverse=True):
        stale = _stale(wanted, seen)
        if wanted.spec.type is MapType.ARRAY:
            zero = bytes(wanted.spec.value_size)
            there = seen.maps[wanted.spec.name].entries or {}
            entries = {key: zero for key in stale if there[key] != zero}
            if entries:
                yield _put(name, layout, wanted, entries)
        elif stale and wanted.spec.type not in _INDEX:
            yield _delete(name, layout, wanted, stale)
