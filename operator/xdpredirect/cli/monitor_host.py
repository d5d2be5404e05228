"""Intervals of the whole machine, every program and map included. Called by `cli.monitor`."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xdpredirect.agent.host_rates import NO_MAP, Event, HostInterval, verdict
from xdpredirect.cli.runtime import Runtime
from xdpredirect.data import data_dir
from xdpredirect.errors import errno_name
from xdpredirect.kernel.bpf import foreign_program_name
from xdpredirect.kernel.compile import Compiler
from xdpredirect.kernel.events import TRACEPOINTS, EventKey, EventMonitor, Tally, map_name
from xdpredirect.settings import Settings

_NAMED_NAMESPACES = Path("/run/netns")
_BETWEEN_CPUS = ("xdp_cpumap_enqueue", "xdp_cpumap_kthread")


def host_intervals(
    runtime: Runtime, settings: Settings, success: bool, seconds: float
) -> Generator[HostInterval, None, None]:
    """One interval of about `seconds` after the other, without end; the first begins when all
    tracepoints are attached. Closing the iterator detaches them. `success` also counts every
    redirected frame. Raises KernelError, CompileError or VerifierError."""
    files = {path.name: path.read_text() for path in data_dir("bpf").glob("*.[ch]")}
    compiler = Compiler(settings.compiler_python, settings.state_dir / "cache")
    with EventMonitor(compiler, files, success) as monitor:
        names = Names(Path("/proc/thread-self/ns/net").stat().st_ino)
        before, unlisted, start = monitor.read(), monitor.unlisted(), runtime.monotonic()
        while True:
            runtime.sleep(seconds)
            after, missing, now = monitor.read(), monitor.unlisted(), runtime.monotonic()
            names.devices, names.programs = monitor.names()
            yield HostInterval(
                time=runtime.timestamp(),
                seconds=round(now - start, 6),
                here=names.here,
                attached=monitor.attached,
                events=changes(before, after, names),
                unlisted=missing - unlisted,
            )
            before, unlisted, start = after, missing, now


@dataclass(slots=True)
class Names:
    """What ids are called. Names of maps need CAP_SYS_ADMIN and are asked for once."""

    here: int
    devices: Mapping[tuple[int, int], str] = field(default_factory=dict)
    programs: Mapping[int, str] = field(default_factory=dict)
    _maps: dict[int, str] = field(default_factory=dict)

    def device(self, netns: int, ifindex: int) -> str:
        """`eth0`, or `eth0@blue` for one in another network namespace."""
        name = self.devices.get((netns, ifindex)) or f"if{ifindex}"
        return name if netns == self.here else f"{name}@{_namespaces().get(netns, netns)}"

    def program(self, number: int) -> str:
        """Empty when nobody knows."""
        return self.programs.get(number) or foreign_program_name(number) if number else ""

    def map(self, number: int) -> str:
        """Empty when nobody knows, or when no map was involved."""
        if number in (0, NO_MAP):
            return ""
        if number not in self._maps:
            self._maps[number] = map_name(number)
        return self._maps[number]


def _namespaces() -> dict[int, str]:
    """Network namespaces that `ip netns` knows, by inode number."""
    there = _NAMED_NAMESPACES.iterdir() if _NAMED_NAMESPACES.is_dir() else ()
    found = {}
    for path in there:
        try:
            found[path.stat().st_ino] = path.name
        except OSError:
            continue
    return found


def changes(
    before: Mapping[EventKey, Tally], after: Mapping[EventKey, Tally], names: Names
) -> tuple[Event, ...]:
    """The events that happened between two readings."""
    return tuple(
        _event(key, tally, before.get(key, Tally()), names)
        for key, tally in sorted(after.items())
        if tally != before.get(key)
    )


def _event(key: EventKey, now: Tally, old: Tally, names: Names) -> Event:
    tracepoint = TRACEPOINTS[key.event - 1]
    origin = target = ""
    if tracepoint in _BETWEEN_CPUS:
        origin, target = f"cpu {key.origin}", f"cpu {key.to}"
    elif key.netns:
        origin = names.device(key.netns, key.origin)
        target = names.device(key.netns, key.to) if key.to else ""
    return Event(
        tracepoint=tracepoint,
        program=key.program,
        program_name=names.program(key.program),
        map=key.map if key.map != NO_MAP else 0,
        map_name=names.map(key.map),
        key=key.index if tracepoint != "xdp_exception" else 0,
        verdict=verdict(key.index) if tracepoint == "xdp_exception" else "",
        origin=origin,
        target=target,
        netns=key.netns,
        errno=errno_name(key.error) if key.error else "",
        events=now.events - old.events,
        packets=now.packets - old.packets,
        drops=now.drops - old.drops,
        passed=now.passed - old.passed,
        refused=now.refused - old.refused,
        redirected=now.redirected - old.redirected,
        scheduled=now.scheduled - old.scheduled,
    )
