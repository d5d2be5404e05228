"""What of ours is in the kernel: pins, links, programs, maps and their entries, as plain values.

Filled by `agent.observe`, compared by `agent.plan`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from xdpredirect.datapath.mapspec import MapSpec
from xdpredirect.datapath.slots import RuleId
from xdpredirect.host import XdpMode


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedMap:
    """A pinned map. Second halves of DEVMAP and CPUMAP values are 1 where a program is, else 0.
    `entries` is None when nothing needs them (per-CPU maps and maps of stale generations) or nobody
    can read them (XSKMAP)."""

    spec: MapSpec
    id: int
    entries: Mapping[bytes, bytes] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedGeneration:
    """One directory of a layout's digest. It is whole when its main program is pinned, which
    happens last; `program` is the id of that one, 0 before."""

    digest: str
    program: int
    maps: Mapping[str, ObservedMap]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedInterface:
    """One interface directory. `attached_to` is the ifindex that our program runs on, 0 for none;
    `running` the id of that program. `dead_link` says that a pinned link has lost its device,
    `away` that the device is in another network namespace, where `attached_to` is its number.
    `counters` is False while the directory is not whole."""

    name: str
    counters: bool
    slots: Mapping[int, RuleId]
    generations: Mapping[str, ObservedGeneration]
    attached_to: int = 0
    running: int = 0
    mode: XdpMode = XdpMode.NONE
    dead_link: bool = False
    by_link: bool = False
    away: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything of ours, by name of the interface directory. `pass_programs` are the programs
    that `prepare` attached to targets, by ifindex."""

    interfaces: Mapping[str, ObservedInterface]
    pass_programs: Mapping[int, int]

    def owns(self, interface: str, program: int) -> bool:
        """Whether a program is ours that may be found on this interface."""
        there = self.interfaces.get(interface)
        programs = {g.program for g in there.generations.values()} if there else set()
        return program in programs or program in self.pass_programs.values()
