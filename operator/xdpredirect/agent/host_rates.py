"""What `xdpredirect monitor --all-programs` shows: xdp tracepoints of the whole machine, counted
over one interval. Pure.

Made by `cli.monitor_host`, drawn by `cli.monitor_events`, kept by `agent.recording`.
"""

from dataclasses import dataclass

VERDICTS = ("ABORTED", "DROP", "PASS", "TX", "REDIRECT")
NO_MAP = 0x7FFFFFFF
"""Map id that the kernel reports for bpf_redirect(), which needs no map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One tracepoint with one combination of its fields, and how often it was hit.

    Ids are 0 and names empty where the event lacks them or where they are unknown. `key` is the map
    key; `origin` and `target` are names of devices, or `cpu N`. `netns` is the inode number of the
    origin's network namespace. `packets` are frames sent (xdp_devmap_xmit, xdp_bulk_tx) or taken
    (CPUMAP); `passed`, `refused` and `redirected` are verdicts of a program in a CPUMAP;
    `scheduled` counts how often its thread slept.
    """

    tracepoint: str
    program: int = 0
    program_name: str = ""
    map: int = 0
    map_name: str = ""
    key: int = 0
    verdict: str = ""
    origin: str = ""
    target: str = ""
    netns: int = 0
    errno: str = ""
    events: int = 0
    packets: int = 0
    drops: int = 0
    passed: int = 0
    refused: int = 0
    redirected: int = 0
    scheduled: int = 0

    @property
    def lost(self) -> int:
        """Frames that this event says are gone."""
        if self.tracepoint.endswith("_err") or self.tracepoint == "xdp_exception":
            return self.events
        return self.drops + self.refused


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInterval:
    """One interval of the machine. `here` is the network namespace of who looked; `attached` are
    the tracepoints that were counted; `unlisted` events found no room in the kernel's map."""

    time: str
    seconds: float
    here: int
    attached: tuple[str, ...]
    events: tuple[Event, ...]
    unlisted: int = 0

    def hits(self) -> dict[str, int]:
        """Events by tracepoint, every attached one included."""
        sums = dict.fromkeys(self.attached, 0)
        for event in self.events:
            sums[event.tracepoint] += event.events
        return sums

    def of(self, *tracepoints: str) -> list[Event]:
        """The events of these tracepoints, most frames first."""
        found = [event for event in self.events if event.tracepoint in tracepoints]
        return sorted(found, key=lambda e: (-e.lost, -e.packets, -e.events, e.program, e.target))


def verdict(act: int) -> str:
    """Name of an XDP verdict, or its number where a program made one up."""
    return VERDICTS[act] if act < len(VERDICTS) else str(act)
