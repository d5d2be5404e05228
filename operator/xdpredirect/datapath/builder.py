"""Gathers what the rules of one interface need while they are rendered one after the other.

Used by `datapath.layout` and `datapath.actions` only. Map numbers are symbolic: the loader puts
descriptors in their place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xdpredirect.api.action import Then
from xdpredirect.api.match import Prefix
from xdpredirect.datapath.abi import COUNTER, COUNTER_SLOTS, PAIR, U32, U64, pack_rewrite
from xdpredirect.datapath.fields import NOTHING, Field
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.datapath.pieces import MapWanted, Place
from xdpredirect.datapath.slots import RuleId
from xdpredirect.datapath.wanted import Machine, Target, WantedInterface

MAP_NUMBER_BASE = 0x7F000000
COUNTERS = MapSpec("counters", MapType.PERCPU_ARRAY, 4, COUNTER.size, COUNTER_SLOTS)
NUMBERS = {
    name: number
    for number, name in enumerate(
        (
            *("COUNTERS", "DEVICES", "SPREAD", "REWRITES", "KEYS", "TABLE", "LPM4", "LPM6"),
            *("CACHE4", "CACHE6", "GENERATION", "LIVE", "LOCAL", "ROUTE", "UPPERS", "LOWERS"),
            *("EGRESS", "SCRATCH", "LOCAL_BITS"),
        ),
        start=1,
    )
}
CPUMAP_NUMBER, BROADCAST_NUMBER, SOCKETS_NUMBER = 32, 64, 96
MAPS_OF_A_KIND = 20
"""CPUMAPs, broadcast maps and XSKMAPs of one program, of each kind."""
MAPS_OF_RULES = 64 - len(NUMBERS)
"""Those of all kinds together: the verifier takes 64 maps (MAX_USED_MAPS)."""


ThenIndex = int | str | None  # index of a device, "drop", or None for the network stack


class LayoutConflict(Exception):
    """`object` cannot share the interface; `reason` and `message` go into its status."""

    def __init__(self, owner: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.object, self.reason, self.message = owner, reason, message


@dataclass(slots=True)
class Builder:
    """What the rules rendered so far need."""

    wanted: WantedInterface
    machine: Machine
    used: Field = NOTHING
    targets: dict[RuleId, tuple[str, ...]] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    rule: RuleId = ("", "")
    defines: dict[str, str] = field(default_factory=dict)
    device_entries: dict[bytes, bytes] = field(default_factory=dict)
    rewrites: dict[bytes, bytes] = field(default_factory=dict)
    next_device: int = 0
    spread_entries: dict[bytes, bytes] = field(default_factory=dict)
    key_entries: dict[bytes, bytes] = field(default_factory=dict)
    table_entries: dict[bytes, bytes] = field(default_factory=dict)
    live: dict[bytes, bytes] = field(default_factory=dict)
    lists: dict[tuple[Prefix, ...], int] = field(default_factory=dict)
    address_tables: list[Mapping[Prefix, int]] = field(default_factory=list)
    _found: set[str] = field(default_factory=set)
    _finds: list[str] = field(default_factory=list)
    egress: dict[int, bytes] = field(default_factory=dict)
    _rules: dict[RuleId, int] = field(default_factory=dict)
    cpumaps: dict[tuple[int, int, ThenIndex], dict[bytes, bytes]] = field(default_factory=dict)
    extra: list[MapWanted] = field(default_factory=list)
    broadcasts: int = 0
    sockets: int = 0
    words: set[str] = field(default_factory=set)
    thens: dict[int | str, str] = field(default_factory=dict)
    then_indexes: dict[tuple[str, int], int] = field(default_factory=dict)

    def use(self, fields: Field) -> None:
        """The program reads these header fields."""
        self.used |= fields

    def define(self, name: str, value: object) -> None:
        """A line of config.h."""
        self.defines[name] = str(value)

    def find(self, what: str) -> None:
        """SOURCE, DESTINATION or TUNNEL has to be found before the rule being rendered."""
        if what not in self._found:
            self._found.add(what)
            self._finds.append(f"FIND_{what}")

    def take_finds(self) -> list[str]:
        """Lines to put before the object's rules; the lookup happens once."""
        lines, self._finds = self._finds, []
        return lines

    def place(self, map_name: str, first: int = 0, count: int = 1 << 32) -> None:
        """Keys of a map belong to the rule that is being rendered."""
        self.places.append(Place(map=map_name, first=first, count=count, rule=self.rule))

    def rule_number(self, rule: RuleId) -> int:
        """Number of a rule within tables that rules share."""
        return self._rules.setdefault(rule, len(self._rules))

    def add_map(
        self, name: str, spec: MapSpec, entries: Mapping[bytes, bytes], program: str = ""
    ) -> None:
        """A map with a fixed number."""
        self.extra.append(
            MapWanted(number=NUMBERS[name], spec=spec, entries=entries, program=program)
        )

    def make_room(self, count: int, what: str, fix: str) -> None:
        """Raises LayoutConflict where the rule being rendered cannot have one more map of a kind
        of which there are `count`."""
        total = len(self.cpumaps) + self.broadcasts + self.sockets
        if count >= MAPS_OF_A_KIND or total >= MAPS_OF_RULES:
            most = MAPS_OF_A_KIND if count >= MAPS_OF_A_KIND else MAPS_OF_RULES
            kinds = what if count >= MAPS_OF_A_KIND else "maps of Broadcast, CPUs and Sockets rules"
            raise LayoutConflict(
                self.rule[0],
                "TooManyMaps",
                f"more than {most} {kinds} on {self.wanted.link.name}; {fix}",
            )

    # Devices

    def device_value(self, target: Target) -> bytes | None:
        """Struct bpf_devmap_val; the second half says whether the egress program runs."""
        if target.link is None:
            return None
        return PAIR.pack(target.link.ifindex, target.link.ifindex in self.egress)

    def devices(self, targets: Sequence[Target | None]) -> int:
        """Consecutive indexes of MAP_DEVICES; the first one is returned."""
        base = self.next_device
        self.place("devices", base, len(targets))
        for index, target in enumerate(targets, start=base):
            value = self.device_value(target) if target else None
            if target is None or value is None:
                continue
            self.device_entries[U32.pack(index)] = value
            self.rewrite(index, target)
        self.next_device += len(targets)
        return base

    def rewrite(self, index: int, target: Target) -> None:
        """What frames to an index wear, unless the egress program dresses them."""
        if target.rewrite and target.link and target.link.ifindex not in self.egress:
            self.rewrites[U32.pack(index)] = pack_rewrite(target.rewrite, target.link.mac)

    def table_entry(self, rule: int, key: int, target: Target) -> None:
        """DEVMAP_HASH entry."""
        value = self.device_value(target)
        if value is not None:
            self.table_entries[U32.pack(rule << 24 | key)] = value

    def key_entry(self, rule: int, key: int, found: int) -> None:
        """Key that is too long for DEVMAP_HASH, or whose target is a CPU."""
        self.key_entries[U64.pack(rule << 48 | key)] = U32.pack(found)

    def broadcast(self, entries: Mapping[bytes, bytes], live: int) -> tuple[str, int]:
        """A DEVMAP of its own; returns its macro and the index of its member count."""
        number = self.broadcasts
        self.broadcasts += 1
        self.live[U32.pack(number)] = U32.pack(live)
        spec = MapSpec(f"broadcast{number}", MapType.DEVMAP, 4, 8, 64)
        self.place(spec.name)
        self.extra.append(
            MapWanted(
                number=BROADCAST_NUMBER + number, spec=spec, entries=entries, program="egress"
            )
        )
        self.define(f"MAP_BROADCAST{number}", f"{MAP_NUMBER_BASE + BROADCAST_NUMBER + number:#x}")
        return f"MAP_BROADCAST{number}", number

    # CPUs

    def spread(self, cpus: Sequence[int | None], fallback: int) -> int:
        """256 slots of MAP_SPREAD; `fallback` is a CPU without entry, so the frame misses."""
        base = len(self.spread_entries)
        for slot, cpu in enumerate(cpus):
            self.spread_entries[U32.pack(base + slot)] = U32.pack(fallback if cpu is None else cpu)
        return base

    def cpumap(
        self, rule: RuleId, cpus: Sequence[int], queue_size: int, then: ThenIndex = None
    ) -> str:
        """A CPUMAP for the rule; when there are too many, one that rules of its kind share."""
        own = self.rule_number(rule) if len(self.cpumaps) < MAPS_OF_A_KIND // 2 else -1
        key = (own, queue_size, then)
        if key not in self.cpumaps:
            fix = "use equal queueSize and then in several rules"
            self.make_room(len(self.cpumaps), "kinds of CPU queue", fix)
        entries = self.cpumaps.setdefault(key, {})
        for cpu in cpus:
            entries[U32.pack(cpu)] = PAIR.pack(queue_size, then is not None)
        number = list(self.cpumaps).index(key)
        self.place(f"cpumap{number}")
        return f"MAP_CPUMAP{number}"

    def then(self, then: Then, target: Target | None) -> ThenIndex:
        """What a CPUMAP program does, with the index of the device that it sends to."""
        if target is None:
            return "drop" if then.drop else None
        key = (target.name, target.link.ifindex if target.link else 0)
        if key not in self.then_indexes:
            self.then_indexes[key] = self.devices([target])
        return self.then_indexes[key]

    # Addresses

    def address_list(self, prefixes: tuple[Prefix, ...]) -> int:
        """Bit of a long list in the address index."""
        return self.lists.setdefault(prefixes, len(self.lists))

    def address_table(self, table: Mapping[Prefix, int]) -> int:
        """Number of a table in the address index."""
        self.address_tables.append(table)
        return len(self.address_tables) - 1
