"""What is pinned in the model of a kernel, as dictionaries. Part of `model_kernel`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdpredirect.agent.observed import ObservedMap
from xdpredirect.datapath.abi import U32
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.datapath.slots import RuleId
from xdpredirect.host import XdpMode

UNREAD = (MapType.PERCPU_ARRAY, MapType.XSKMAP)


@dataclass(slots=True)
class Generation:
    maps: dict[str, tuple[MapSpec, int, dict[bytes, bytes]]] = field(default_factory=dict)
    programs: dict[str, int] = field(default_factory=dict)
    slots: frozenset[int] = frozenset()
    needs: frozenset[str] = frozenset()
    # What caches may hold: number of the address index -> contents of the tries seen under it.
    cached: list[tuple[bytes, dict[bytes, bytes]]] = field(default_factory=list)

    def entries(self, name: str) -> dict[bytes, bytes]:
        return self.maps[name][2] if name in self.maps else {}

    def index(self) -> dict[bytes, bytes]:
        return {**self.entries("lpm4"), **self.entries("lpm6")}

    def number(self) -> bytes:
        return self.entries("generation").get(U32.pack(0), bytes(4))


@dataclass(slots=True)
class Directory:
    slots: dict[int, RuleId] = field(default_factory=dict)
    generations: dict[str, Generation] = field(default_factory=dict)
    link: int | None = None  # ifindex; 0 when the device is gone


@dataclass(slots=True)
class Hook:
    program: int
    mode: XdpMode


def observed_maps(generation: Generation) -> Mapping[str, ObservedMap]:
    loaded = "redirect" in generation.programs
    return {
        name: ObservedMap(
            spec=spec,
            id=number,
            entries=dict(entries) if loaded and spec.type not in UNREAD else None,
        )
        for name, (spec, number, entries) in generation.maps.items()
    }
