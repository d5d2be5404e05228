"""What a layout is made of: maps with their content, programs, and which keys are whose. Values.

Gathered by `datapath.builder`, planned by `agent.plan`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from xdpredirect.datapath.mapspec import MapSpec
from xdpredirect.datapath.slots import RuleId


@dataclass(frozen=True, slots=True, kw_only=True)
class MapWanted:
    """A map and its content. `program` names the secondary program that entries whose second half
    is 1 carry (DEVMAP, DEVMAP_HASH, CPUMAP). A map that is `kept` goes on to the next generation:
    others fill it, and nobody can read it back."""

    number: int
    spec: MapSpec
    entries: Mapping[bytes, bytes]
    program: str = ""
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramWanted:
    """A program: `kind` is the C file and its function, `rendered` the generated headers by name,
    `name` that of its pin. `fallbacks` are other headers for the same behaviour, for when compiler
    or verifier refuse a program for its size."""

    name: str
    kind: str
    rendered: tuple[tuple[str, str], ...]
    fallbacks: tuple[tuple[tuple[str, str], ...], ...] = ()

    @property
    def variants(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """All headers to try, in order."""
        return (self.rendered, *self.fallbacks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`count` keys of a map, from `first` on, belong to a rule: a lost frame is traced back by map
    and key. Shared maps (a CPUMAP of several rules) have several places."""

    map: str
    first: int
    count: int
    rule: RuleId
