"""The last step of a layout: programs with their generated headers, and all maps, out of what the
builder gathered. Called by `datapath.layout`."""

from collections.abc import Mapping

from xdpredirect.datapath.abi import PAIR, U32
from xdpredirect.datapath.addressindex import IndexShape, build_index
from xdpredirect.datapath.builder import (
    CPUMAP_NUMBER,
    MAP_NUMBER_BASE,
    NUMBERS,
    Builder,
)
from xdpredirect.datapath.mapspec import NO_PREALLOC, MapSpec, MapType
from xdpredirect.datapath.pieces import MapWanted, ProgramWanted

_CACHE_SLOTS = 1 << 13
_LPM_ENTRIES = 1 << 20
_ROUTE_ENTRIES = 4096
_RULES_ON_THE_STACK = 8
_RULES_OF_A_BRANCH = 4
_SCRATCH_SIZE = 1024
_BRANCHES = ("FIND_SOURCE", "FIND_DESTINATION", "FIND_TUNNEL", "ROUTE(", "PROTECT(")
_SHARED = {"FIND_FLOW": "FLOW_ONCE", "ROUTE(": "ROUTE_ONCE"}
"""Long code once for all rules: bpf/hash.h, bpf/route.h."""


def assemble(
    builder: Builder, lines: list[str]
) -> tuple[tuple[ProgramWanted, ...], tuple[MapWanted, ...]]:
    """Programs, the main one last, and maps by number."""
    _devices(builder)
    _addresses(builder)
    _cpumaps(builder)
    if "ROUTES" in builder.defines:
        _routes(builder)
    if builder.egress:
        key = builder.wanted.link.ifindex
        entries = {PAIR.pack(key, to): rewrite for to, rewrite in builder.egress.items()}
        builder.add_map("EGRESS", MapSpec("egress", MapType.HASH, 8, 16, 64), entries)
    if _is_large(lines) or _has_fallback(lines):
        builder.add_map(
            "SCRATCH", MapSpec("scratch", MapType.PERCPU_ARRAY, 4, _SCRATCH_SIZE, 1), {}
        )
    maps = tuple(sorted(builder.extra, key=lambda m: m.number))
    return _programs(builder, lines, maps), maps


def _is_large(lines: list[str]) -> bool:
    """Whether the frame is kept in a map at once, which costs it 3 ns: the verifier and the stack
    are likely to need it, and a first attempt would be a second lost.

    Every lookup that a program branches on doubles the ways through the rules after it, so it
    counts for several rules; the protection of the first object has no rules before it.
    """
    rules = sum(line.startswith("RULE(") for line in lines)
    branches = sum(line.startswith(_BRANCHES) for line in lines)
    going_on = sum("MISS_CONTINUE" in line for line in lines)
    protected = any(line.startswith("PROTECT(") for line in lines)
    weight = rules + _RULES_OF_A_BRANCH * (branches + going_on - protected)
    return weight > _RULES_ON_THE_STACK or "FIND_TUNNEL" in lines


def _has_fallback(lines: list[str]) -> bool:
    """A single rule always fits."""
    return sum(line.startswith("RULE(") for line in lines) > 1


def _power(count: int, least: int = 8) -> int:
    return max(least, 1 << (count - 1).bit_length()) if count else least


def _devices(builder: Builder) -> None:
    if builder.next_device:
        size = _power(builder.next_device)
        spec = MapSpec("devices", MapType.DEVMAP, 4, 8, size)
        builder.add_map("DEVICES", spec, builder.device_entries, "egress")
        builder.add_map(
            "REWRITES", MapSpec("rewrites", MapType.ARRAY, 4, 16, size), builder.rewrites
        )
    if builder.spread_entries:
        size = len(builder.spread_entries)
        builder.add_map(
            "SPREAD", MapSpec("spread", MapType.ARRAY, 4, 4, size), builder.spread_entries
        )
    if "FOUND_KEY" in builder.words:
        spec = MapSpec("keys", MapType.HASH, 8, 4, _power(len(builder.key_entries), 64))
        builder.add_map("KEYS", spec, builder.key_entries)
    if "TO_DEVICE_BY_KEY" in builder.words:
        spec = MapSpec("table", MapType.DEVMAP_HASH, 4, 8, _power(len(builder.table_entries), 64))
        builder.add_map("TABLE", spec, builder.table_entries, "egress")
    if builder.live:
        builder.add_map(
            "LIVE", MapSpec("live", MapType.ARRAY, 4, 4, _power(len(builder.live))), builder.live
        )


def _addresses(builder: Builder) -> None:
    if not builder.lists and not builder.address_tables:
        return
    shape = IndexShape(len(builder.lists), len(builder.address_tables))
    builder.define("ADDRESS_INDEX", 1)
    builder.define("LIST_WORDS", shape.words)
    builder.define("TABLES", max(1, shape.tables))
    four, six = build_index(shape, list(builder.lists), builder.address_tables)
    entry = shape.entry_size
    for name, family, size, head in (("4", four, 8, 8), ("6", six, 20, 24)):
        builder.add_map(
            f"LPM{name}",
            MapSpec(f"lpm{name}", MapType.LPM_TRIE, size, entry, _LPM_ENTRIES, NO_PREALLOC),
            family,
        )
        builder.add_map(
            f"CACHE{name}",
            MapSpec(f"cache{name}", MapType.PERCPU_ARRAY, 4, head + entry, _CACHE_SLOTS),
            {},
        )
    builder.add_map("GENERATION", MapSpec("generation", MapType.ARRAY, 4, 4, 1), {})


def _cpumaps(builder: Builder) -> None:
    thens: dict[int | str, str] = {}
    for number, ((_, _, then), entries) in enumerate(builder.cpumaps.items()):
        program = ""
        if then is not None:
            program = thens.setdefault(then, f"cpumap{len(thens)}")
        builder.define(f"MAP_CPUMAP{number}", f"{MAP_NUMBER_BASE + CPUMAP_NUMBER + number:#x}")
        spec = MapSpec(f"cpumap{number}", MapType.CPUMAP, 4, 8, builder.machine.cpus)
        builder.extra.append(
            MapWanted(number=CPUMAP_NUMBER + number, spec=spec, entries=entries, program=program)
        )
    builder.thens = thens


def _routes(builder: Builder) -> None:
    machine = builder.machine
    builder.add_map(
        "ROUTE",
        MapSpec("route", MapType.DEVMAP_HASH, 4, 8, _ROUTE_ENTRIES),
        {U32.pack(ifindex): PAIR.pack(ifindex, 0) for ifindex in machine.routes},
    )
    builder.add_map(
        "UPPERS",
        MapSpec("uppers", MapType.HASH, 8, 4, _ROUTE_ENTRIES, NO_PREALLOC),
        {PAIR.pack(port, vid): U32.pack(upper) for upper, port, vid in machine.uppers},
    )
    builder.add_map(
        "LOWERS",
        MapSpec("lowers", MapType.HASH, 4, 8, _ROUTE_ENTRIES, NO_PREALLOC),
        {U32.pack(upper): PAIR.pack(port, vid) for upper, port, vid in machine.uppers},
    )


def _programs(
    builder: Builder, lines: list[str], maps: tuple[MapWanted, ...]
) -> tuple[ProgramWanted, ...]:
    names = {number: name for name, number in NUMBERS.items()}
    present = {names[m.number] for m in maps if m.number in names} | {"COUNTERS"}
    defines: dict[str, object] = {
        f"MAP_{name}": _number(name) for name in sorted(present - {"SCRATCH"})
    }
    common = {**defines, **({"FRAGS": 1} if builder.wanted.frags else {})}
    programs = [
        ProgramWanted(name=name, kind="cpumap", rendered=_then(then, common))
        for then, name in builder.thens.items()
    ]
    if builder.egress:
        config = ("config.h", _config({**common, "USES": 0}))
        programs.append(ProgramWanted(name="egress", kind="egress", rendered=(config,)))
    main = {**common, **builder.defines, "USES": int(builder.used)}
    programs.append(_main(main, lines))
    return tuple(programs)


def _main(defines: Mapping[str, object], lines: list[str]) -> ProgramWanted:
    """The main program, and what to try when it is refused: the frame in a map, then all long
    code shared as well."""
    scratch = {"MAP_SCRATCH": _number("SCRATCH"), "SCRATCH_SIZE": _SCRATCH_SIZE}
    shared = {
        name: 1 for word, name in _SHARED.items() if any(line.startswith(word) for line in lines)
    }
    variants = [{**defines, **scratch}, {**defines, **scratch, **shared}]
    if not _is_large(lines):
        variants.insert(0, dict(defines))
    if not _has_fallback(lines):
        del variants[1:]
    rules = ("rules.h", "\n".join(lines) + "\n")
    rendered = dict.fromkeys((("config.h", _config(each)), rules) for each in variants)
    first, *fallbacks = rendered
    return ProgramWanted(
        name="redirect", kind="redirect", rendered=first, fallbacks=tuple(fallbacks)
    )


def _number(name: str) -> str:
    return f"{MAP_NUMBER_BASE + NUMBERS[name]:#x}"


def _then(then: int | str, common: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    defines = {**common, "USES": 0}
    if isinstance(then, int):
        defines["THEN_DEVICE"] = then
    return (("config.h", _config(defines)),)


def _config(defines: Mapping[str, object]) -> str:
    return "".join(f"#define {name} {value}\n" for name, value in sorted(defines.items()))
