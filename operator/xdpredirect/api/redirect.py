"""The parsed `XdpRedirect` and `XdpAddressSet` objects (group xdpredirect.io, v1alpha1)."""

from dataclasses import dataclass
from enum import StrEnum

from xdpredirect.api.action import Action, OnMiss, Rewrite
from xdpredirect.api.labels import LabelSelector
from xdpredirect.api.match import Match, Prefix


class Mode(StrEnum):
    """How the program is attached. Auto takes generic XDP where a driver has no native XDP."""

    NATIVE = "Native"
    GENERIC = "Generic"
    AUTO = "Auto"


class Frags(StrEnum):
    """Frames in several buffers."""

    AUTO = "Auto"
    REQUIRED = "Required"
    DISABLED = "Disabled"


class Protect(StrEnum):
    """Frames that no Drop, TX or redirect of the object may take."""

    NODE = "Node"
    LINK = "Link"
    NONE = "None"


class Prepare(StrEnum):
    """Whether settings of interfaces that lose frames are only reported or also changed."""

    REPORT = "Report"
    APPLY = "Apply"


class State(StrEnum):
    """Active: as written. Paused: the datapath stays as it is. Detached: nothing is attached."""

    ACTIVE = "Active"
    PAUSED = "Paused"
    DETACHED = "Detached"


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceTerm:
    """Fields are ANDed, items of one field are ORed. Names may be globs (* and ?)."""

    names: tuple[str, ...] = ()
    exclude_names: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    pci_addresses: tuple[str, ...] = ()
    mac_addresses: tuple[bytes, ...] = ()


NodeSelector = LabelSelector
"""Of nodes, by their labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDevice:
    """A name that rules use. Empty `select`: the interface called `name`."""

    name: str
    select: tuple[InterfaceTerm, ...] = ()
    rewrite: Rewrite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; `name` labels its counters, `on_miss` counts for redirects only."""

    name: str
    match: Match
    action: Action
    on_miss: OnMiss = OnMiss.PASS


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectSpec:
    """What the user wants."""

    node_selector: NodeSelector
    interfaces: tuple[InterfaceTerm, ...]
    rules: tuple[Rule, ...]
    mode: Mode = Mode.NATIVE
    frags: Frags = Frags.AUTO
    priority: int = 500
    protect: Protect = Protect.NODE
    prepare: Prepare = Prepare.REPORT
    devices: tuple[NamedDevice, ...] = ()
    state: State = State.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class XdpRedirect:
    """One object. `generation` counts changes of the spec."""

    name: str
    spec: RedirectSpec
    generation: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class XdpAddressSet:
    """Prefixes as one list (`groups` empty) or as named groups (`cidrs` empty)."""

    name: str
    cidrs: tuple[Prefix, ...] = ()
    groups: tuple[tuple[str, tuple[Prefix, ...]], ...] = ()
    generation: int = 1

    @property
    def prefixes(self) -> tuple[Prefix, ...]:
        """Every prefix of the set, of all groups."""
        return self.cidrs or tuple(p for _, cidrs in self.groups for p in cidrs)
