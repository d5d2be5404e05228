"""docs/drop-reasons.md, generated from the table. Called by `python -m xdpredirect.reasons`.

A unit test compares the page with what this makes of the table.
"""

from itertools import groupby

from xdpredirect.datapath.abi import Event
from xdpredirect.errors import errno_name
from xdpredirect.reasons import REASONS, Own, Reason

_HEAD = """\
# Why frames are lost

Generated from `operator/xdpredirect/reasons` by `python -m xdpredirect.reasons`; do not edit.

`xdpredirect status` and the status of every object name one of these reasons for each cause of
loss. In the sentences, `{target}`, `{interface}` and the like stand for names of the machine. The
event is the kernel's tracepoint in which the loss showed; *own counter* means that no tracepoint
shows it and our program counts it.

## Reasons
"""
_TAIL = """
## What is not a loss of a frame

These are refused before any frame moves, and show up as a failed apply or a finding:

| What | Error | Cause | Fix |
| --- | --- | --- | --- |
| Device entry | EINVAL | The device is in another network namespace, or is gone. | Run the agent \
in the namespace of the device. |
| Device entry | E2BIG | The key is beyond the size of the map. | A defect of ours; please report \
it. |
| CPU entry | EOVERFLOW | `queueSize` is above 16384. | Lower it. |
| CPU entry | ENODEV | The CPU is not possible on this machine. | Choose another: \
`cat /sys/devices/system/cpu/possible`. |
| CPU entry | ENOMEM | No memory for the queue, or its program was loaded otherwise than the map. \
| Lower `queueSize`. |
| Socket entry | EOPNOTSUPP, EBADF | It is no AF_XDP socket. | Mend the program that sends it. |
| Attach | EBUSY, EEXIST | Another program holds the interface. | `bpftool net show`; detach it, \
or select another interface. |
| Attach | EOPNOTSUPP | The driver has no native XDP. | `mode: Auto` or `mode: Generic`. |
| Attach | ERANGE, EINVAL | The MTU is too large for one buffer, or LRO is on. | `ip link set DEV \
mtu 3498`; `ethtool -K DEV lro off`. |
| Attach | ENOSPC, ENOMEM | Too few queues for XDP. | `ethtool -L DEV combined N`. |

Two events that report one frame are added once: `xdp_exception` with XDP_REDIRECT repeats another
event, and a full CPU queue in generic mode shows in two. A rule's own misses stand for
`xdp_exception` with XDP_ABORTED. What an AF_XDP socket could not take stands in its
XDP_STATISTICS, too: these are counted only where there is no drop monitor.
"""
_EVENTS = {Own.MISS: "own counter: misses", Own.REWRITE: "own counter: errors"}


def page() -> str:
    """The whole page; reasons by name, each with all its rows."""
    rows = sorted(REASONS, key=lambda row: row.name)
    parts = [_reason(name, list(found)) for name, found in groupby(rows, key=lambda row: row.name)]
    return _HEAD + "".join(parts) + _TAIL


def _reason(name: str, rows: list[Reason]) -> str:
    return f"\n### {name}\n" + "".join(_row(row) for row in rows)


def _row(row: Reason) -> str:
    facts = [f"- Seen in: {', '.join(_event(event) for event in row.events)}"]
    if row.errnos:
        facts.append(f"- Error: {', '.join(errno_name(n) if n else 'none' for n in row.errnos)}")
    if row.maps:
        facts.append(f"- Map: {', '.join(kind.value or 'none' for kind in row.maps)}")
    if row.condition:
        facts.append(f"- When: {row.condition}")
    if row.kernels:
        facts.append(f"- Linux: {row.kernels}")
    if not row.source and row is not REASONS[-1]:
        facts.append("- Made for real in our tests: [drop-conformance.md](drop-conformance.md)")
    if row.source:
        facts.append(f"- Not made in our tests; the source that says so: {row.source}")
    return f"\n{row.cause} {row.fix}\n\n" + "\n".join(facts) + "\n"


def _event(event: Event | Own) -> str:
    if isinstance(event, Own):
        return _EVENTS[event]
    if event is Event.UNLISTED:
        return "the monitor's own overflow counter"
    if event is Event.CPUMAP_PROGRAM:
        return "`xdp_cpumap_kthread` (xdp_drop)"
    return f"`xdp_{event.name.lower()}`"
