"""Programs of ours in the kernel without pins or interfaces, for BPF_PROG_TEST_RUN.

`loaded(objects, ...)` goes through the real resolver, layout, compiler and loader; only the
attachment is missing.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from xdpredirect.agent.act import with_program
from xdpredirect.agent.counters import sum_counters
from xdpredirect.agent.load import load_variants
from xdpredirect.agent.report import RuleCounters
from xdpredirect.agent.resolve import resolve
from xdpredirect.api.redirect import XdpAddressSet, XdpRedirect
from xdpredirect.data import data_dir
from xdpredirect.datapath.abi import PAIR, U32
from xdpredirect.datapath.builder import COUNTERS
from xdpredirect.datapath.layout import Layout, lay_out
from xdpredirect.datapath.slots import assign_slots
from xdpredirect.datapath.source import sources_digest
from xdpredirect.host import Cpu, Host, Link, XdpFeatures
from xdpredirect.kernel.compile import Compiler
from xdpredirect.kernel.maps import Map, create_map
from xdpredirect.kernel.programs import TestRun, run_program

CACHE = Path(tempfile.gettempdir()) / f"xdpredirect-test-cache-{os.getuid()}"
SOURCES = {path.name: path.read_text() for path in data_dir("bpf").glob("*.[ch]")}
LOOPBACK = Link(
    ifindex=1, name="lo", mac=bytes(6), up=True, carrier=True, mtu=65536, features=XdpFeatures(127)
)


@dataclass(slots=True)
class Loaded:
    """A loaded main program. `slots` are those of its rules, by (object, rule)."""

    program: int
    layout: Layout
    maps: Mapping[str, Map]
    slots: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def run(self, frame: bytes, *, rx_queue: int = 0, ifindex: int = 0, repeat: int = 1) -> TestRun:
        """BPF_PROG_TEST_RUN."""
        return run_program(self.program, frame, rx_queue=rx_queue, ifindex=ifindex, repeat=repeat)

    def counters(self, rule: tuple[str, str] | int) -> RuleCounters:
        """Counters of a rule, or of a slot by number."""
        slot = rule if isinstance(rule, int) else self.layout.slots[rule]
        return sum_counters(self.maps["counters"].get(U32.pack(slot)) or b"")


def a_host(links: Sequence[Link] = (LOOPBACK,), cpus: int = 2) -> Host:
    """A machine for the resolver; `lo` has ifindex 1, which every namespace has."""
    return Host(
        hostname="test",
        labels={"kubernetes.io/hostname": "test"},
        links=tuple(links),
        cpus=tuple(Cpu(id=number, siblings=(number,)) for number in range(cpus)),
        kernel=(6, 18),
    )


@contextmanager
def loaded(
    redirects: Sequence[XdpRedirect],
    sets: Sequence[XdpAddressSet] = (),
    host: Host | None = None,
    interface: str = "lo",
) -> Iterator[Loaded]:
    """The program that `interface` of `host` would run for these objects."""
    resolution = resolve(redirects, {s.name: s for s in sets}, host or a_host())
    wanted = next(w for w in resolution.interfaces if w.link.name == interface)
    rules = [(o.name, r.rule.name) for o in wanted.objects for r in o.rules]
    layout = lay_out(wanted, assign_slots({}, rules), resolution.machine, sources_digest(SOURCES))
    with loaded_layout(layout) as result:
        yield result


@contextmanager
def loaded_layout(layout: Layout) -> Iterator[Loaded]:
    """A layout in the kernel, maps filled, programs loaded; gone afterwards."""
    compiler = Compiler("/usr/bin/python3", CACHE)
    with ExitStack() as stack:
        maps = {"counters": stack.enter_context(create_map(COUNTERS))}
        numbers = {1: maps["counters"].fd}
        for wanted in layout.maps:
            opened = stack.enter_context(create_map(wanted.spec))
            maps[wanted.spec.name], numbers[wanted.number] = opened, opened.fd
        programs: dict[str, int] = {}
        for program in layout.programs:
            if program.name == "redirect":
                _fill(layout, maps, programs)
            fd = load_variants(program, compiler, SOURCES, (numbers, layout.frags))
            stack.callback(os.close, fd)
            programs[program.name] = fd
        yield Loaded(programs["redirect"], layout, maps, layout.slots)


def _fill(layout: Layout, maps: Mapping[str, Map], programs: Mapping[str, int]) -> None:
    for wanted in layout.maps:
        opened, entries = maps[wanted.spec.name], wanted.entries
        if wanted.spec.name == "generation":
            entries = {U32.pack(0): U32.pack(1)}
        if wanted.program in programs and any(PAIR.unpack(v)[1] for v in entries.values()):
            entries = with_program(entries, programs[wanted.program])
        opened.put_all(entries)
