"""Everything the agent can do to the datapath, as data. `agent.plan` writes these, `agent.act`
carries them out, `--dry-run` prints them. Each sentence names what changes."""

from collections.abc import Mapping
from dataclasses import dataclass

from xdpredirect.datapath.mapspec import MapSpec
from xdpredirect.datapath.pieces import MapWanted, ProgramWanted
from xdpredirect.datapath.slots import RuleId


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateInterface:
    """Make the interface's directory and its counters, which outlive programs."""

    interface: str

    def __str__(self) -> str:
        return f"{self.interface}: create counters"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSlots:
    """Give counter slots to rules, zeroed: nothing counts in them yet."""

    interface: str
    slots: Mapping[int, RuleId]

    def __str__(self) -> str:
        rules = ", ".join(f"{owner}/{rule}" for owner, rule in self.slots.values())
        return f"{self.interface}: count {rules}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeSlots:
    """Take counter slots back from rules that no program counts any more."""

    interface: str
    slots: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.interface}: free the counters of {len(self.slots)} rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMap:
    """Create and pin one map of a generation; or, with `kept_from`, pin the one of that name of
    another generation here too, with all that it holds."""

    interface: str
    generation: str
    spec: MapSpec
    kept_from: str = ""

    def __str__(self) -> str:
        kind = self.spec.type.name
        if self.kept_from:
            return f"{self.interface}: keep {kind} {self.spec.name}"
        return f"{self.interface}: create {kind} {self.spec.name} ({self.spec.max_entries} entries)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PutEntries:
    """Write entries. `program` is the secondary program that entries flagged with 1 carry."""

    interface: str
    generation: str
    map: str
    entries: Mapping[bytes, bytes]
    program: str = ""

    def __str__(self) -> str:
        return f"{self.interface}: write {_entries(len(self.entries))} of {self.map}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteEntries:
    """Remove entries that nothing refers to any more."""

    interface: str
    generation: str
    map: str
    keys: tuple[bytes, ...]

    def __str__(self) -> str:
        return f"{self.interface}: remove {_entries(len(self.keys))} of {self.map}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProgram:
    """Compile (or take from the cache), load and pin one program of a generation."""

    interface: str
    generation: str
    program: ProgramWanted
    maps: tuple[MapWanted, ...]
    frags: bool

    def __str__(self) -> str:
        return f"{self.interface}: load {self.program.name} {self.generation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach:
    """Attach the generation's main program where nothing of ours runs. `generic` None: native,
    and generic where the driver has no native XDP."""

    interface: str
    generation: str
    ifindex: int
    generic: bool | None

    def __str__(self) -> str:
        mode = {True: "generic", False: "native", None: "native or generic"}[self.generic]
        return f"{self.interface}: attach {self.generation} ({mode})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Put the generation's main program in the place of `old_program`, without a gap."""

    interface: str
    generation: str
    ifindex: int
    old_program: int
    generic: bool = False

    def __str__(self) -> str:
        return f"{self.interface}: swap program {self.old_program} for {self.generation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detach:
    """Take our program off the interface. `ifindex` 0: its device is gone, only the pin is left."""

    interface: str
    ifindex: int
    program: int
    generic: bool = False

    def __str__(self) -> str:
        return f"{self.interface}: detach program {self.program}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveGeneration:
    """Remove programs and maps that do not run."""

    interface: str
    generation: str

    def __str__(self) -> str:
        return f"{self.interface}: remove {self.generation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveInterface:
    """Remove the interface's counters and its directory."""

    interface: str

    def __str__(self) -> str:
        return f"{self.interface}: remove counters"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameInterface:
    """The device has a new name; its directory follows."""

    interface: str
    to: str

    def __str__(self) -> str:
        return f"{self.interface}: rename to {self.to}"


Action = (
    CreateInterface
    | NameSlots
    | FreeSlots
    | CreateMap
    | PutEntries
    | DeleteEntries
    | LoadProgram
    | Attach
    | Swap
    | Detach
    | RemoveGeneration
    | RemoveInterface
    | RenameInterface
)
