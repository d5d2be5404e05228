"""Shapes of BPF maps, as data: what the planner asks for and what the kernel says it has."""

from dataclasses import dataclass
from enum import IntEnum


class MapType(IntEnum):
    """enum bpf_map_type, as far as the programs use it."""

    HASH = 1
    ARRAY = 2
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    LPM_TRIE = 11
    DEVMAP = 14
    CPUMAP = 16
    XSKMAP = 17
    DEVMAP_HASH = 25


NO_PREALLOC = 1


@dataclass(frozen=True, slots=True)
class MapSpec:
    """One map; sizes are octets. `name` is also the name of its pin."""

    name: str
    type: MapType
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
