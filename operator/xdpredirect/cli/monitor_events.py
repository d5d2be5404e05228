"""One interval of the whole machine, as a person reads it. Called by `cli.monitor`."""

from collections.abc import Callable, Iterable, Mapping

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from xdpredirect.agent.host_rates import Event, HostInterval
from xdpredirect.cli.figures import count
from xdpredirect.cli.monitor_tables import figure, rate_table, time_line
from xdpredirect.cli.shapes import heading

Cells = Callable[[Event, float], Iterable[Text]]
_ROWS = 20
_REFUSED = ("xdp_redirect_err", "xdp_redirect_map_err", "xdp_exception")
_REDIRECTED = ("xdp_redirect", "xdp_redirect_map")


def host_parts(interval: HostInterval) -> list[RenderableType]:
    """A line of time, hits of every tracepoint, and a table for each kind of event that there was,
    most lost frames first."""
    parts: list[RenderableType] = [time_line(interval.time, interval.seconds), ""]
    parts += [heading("Tracepoints"), _tracepoints(interval)]
    for title, (names, columns, cells) in _TABLES.items():
        # A CPUMAP's thread also wakes up for nothing; -o json has that too.
        found = [event for event in interval.of(*names) if _tells(event)]
        if found:
            line = Text.assemble(heading(title), (f"  {' '.join(names)}", "quiet"))
            parts += ["", line, *_table(found, columns, cells, interval.seconds)]
    if interval.unlisted:
        words = f"{count(interval.unlisted)} events more: too many different ones to tell apart"
        parts += ["", Text(words, style="bad")]
    return parts


def _tracepoints(interval: HostInterval) -> Table:
    table = rate_table("NAME", ">EVENTS/S", ">FRAMES/S", ">LOST/S")
    for name, hits in interval.hits().items():
        found = interval.of(name)
        carries = any(event.packets for event in found)
        table.add_row(
            Text(name, style="name" if hits else "quiet"),
            figure(hits, interval.seconds),
            figure(sum(e.packets for e in found), interval.seconds) if carries else Text(""),
            figure(sum(e.lost for e in found), interval.seconds, "bad"),
        )
    return table


def _table(
    found: list[Event], columns: tuple[str, ...], cells: Cells, seconds: float
) -> list[RenderableType]:
    table = rate_table(*columns)
    for event in found[:_ROWS]:
        table.add_row(*cells(event, seconds))
    if len(found) <= _ROWS:
        return [table]
    return [table, Text(f"and {len(found) - _ROWS} more; -o json has all", style="quiet")]


def _refused(event: Event, seconds: float) -> Iterable[Text]:
    cause = event.errno or event.verdict
    return (
        Text(f"{cause} {'' if event.errno else '(verdict)'}".rstrip(), style="bad"),
        _program(event),
        _map(event),
        _way(event),
        figure(event.events, seconds, "bad"),
    )


def _redirected(event: Event, seconds: float) -> Iterable[Text]:
    return (_program(event), _map(event), _way(event), figure(event.events, seconds))


def _sent(event: Event, seconds: float) -> Iterable[Text]:
    return (
        _way(event),
        Text(event.errno or "–", style="bad" if event.errno else "quiet"),
        figure(event.packets, seconds),
        figure(event.drops, seconds, "bad"),
        _bulk(event.packets + event.drops, event.events),
    )


def _enqueued(event: Event, seconds: float) -> Iterable[Text]:
    return (
        _map(event),
        _way(event),
        figure(event.packets, seconds),
        figure(event.drops, seconds, "bad"),
        _bulk(event.packets, event.events),
    )


def _taken(event: Event, seconds: float) -> Iterable[Text]:
    return (
        _map(event),
        Text(event.target),
        figure(event.packets, seconds),
        figure(event.drops, seconds, "bad"),
        figure(event.passed, seconds),
        figure(event.refused, seconds, "bad"),
        figure(event.redirected, seconds),
        figure(event.scheduled, seconds),
        _bulk(event.packets, event.events),
    )


_TABLES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], Cells]] = {
    "Refused": (
        _REFUSED,
        ("ERROR", "PROGRAM", "MAP AND KEY", "FROM → TO", ">FRAMES/S"),
        _refused,
    ),
    "Sent to devices": (
        ("xdp_devmap_xmit",),
        ("FROM → TO", "ERROR", ">SENT/S", ">LOST/S", ">BULK"),
        _sent,
    ),
    "Sent back": (
        ("xdp_bulk_tx",),
        ("DEVICE", "ERROR", ">SENT/S", ">LOST/S", ">BULK"),
        _sent,
    ),
    "Handed to CPUs": (
        ("xdp_cpumap_enqueue",),
        ("MAP", "FROM → TO", ">FRAMES/S", ">LOST/S", ">BULK"),
        _enqueued,
    ),
    "Taken by CPUs": (
        ("xdp_cpumap_kthread",),
        (
            *("MAP", "CPU", ">FRAMES/S", ">LOST/S", ">PASS/S", ">DROP/S", ">REDIR/S"),
            *(">SCHED/S", ">BULK"),
        ),
        _taken,
    ),
    "Redirected": (
        _REDIRECTED,
        ("PROGRAM", "MAP AND KEY", "FROM → TO", ">FRAMES/S"),
        _redirected,
    ),
}


def _tells(event: Event) -> bool:
    return event.tracepoint in _REDIRECTED or bool(event.packets or event.lost)


def _program(event: Event) -> Text:
    return _named(event.program_name or "program", event.program)


def _named(name: str, number: int) -> Text:
    return Text.assemble(name, (f" {number}", "quiet"))


def _map(event: Event) -> Text:
    """`devices[3] 71`: name, key, id. bpf_redirect() has no map; its key is an ifindex."""
    if event.origin.startswith("cpu"):
        return _named(event.map_name or "map", event.map)
    if event.verdict:
        return Text("")
    if not event.map:
        return Text(f"ifindex {event.key}")
    return _named(f"{event.map_name or 'map'}[{event.key}]", event.map)


def _way(event: Event) -> Text:
    if event.tracepoint == "xdp_bulk_tx":
        return Text(event.origin)
    return Text(f"{event.origin} → {event.target}" if event.target else event.origin)


def _bulk(frames: int, events: int) -> Text:
    """Frames that one event stood for, on average."""
    return Text(f"{frames / events:.1f}" if events else "–")
