"""Intervals as JSON, one a line, after a line that says where they come from.

Called by `cli.monitor` for `-o json`, `--record` and `--replay`: a line of a recording and a
document of `-o json` are the same. docs/monitor.md describes every field.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TextIO, TypeVar

from xdpredirect.agent.host_rates import Event, HostInterval
from xdpredirect.agent.rates import InterfaceRates, LossRate, ObjectInterval, RuleRates, Traffic
from xdpredirect.errors import InvalidInput

FORMAT = 1
Interval = ObjectInterval | HostInterval
Made = TypeVar("Made", RuleRates, LossRate, Traffic, Event)
_NOT_OURS = "is not a recording of `xdpredirect monitor --record`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """First line of a recording. `objects` are names, empty with --all-programs; `interval` is
    what was asked for, in seconds."""

    version: str
    time: str
    host: str
    kernel: str
    interval: float
    objects: tuple[str, ...]


def interval_data(interval: Interval) -> dict[str, object]:
    """An interval as a document."""
    if isinstance(interval, HostInterval):
        return {
            "time": interval.time,
            "seconds": interval.seconds,
            "netns": interval.here,
            "tracepoints": interval.hits(),
            "events": [_camel(asdict(event)) for event in interval.events],
            "unlisted": interval.unlisted,
        }
    return {
        "time": interval.time,
        "seconds": interval.seconds,
        "interfaces": [_interface(item) for item in interval.interfaces],
        "losses": [_camel(asdict(loss)) for loss in interval.losses],
    }


def _interface(item: InterfaceRates) -> dict[str, object]:
    rules = [
        {**_camel(asdict(rule)), "targets": list(rule.targets), "cpus": list(rule.cpus)}
        for rule in item.rules
    ]
    return {**_camel(asdict(item)), "rules": rules}


def _camel(value: Mapping[str, Any]) -> dict[str, Any]:
    return {re.sub("_(.)", lambda m: m[1].upper(), key): part for key, part in value.items()}


def read_interval(value: Mapping[str, Any]) -> Interval:
    """The interval of a document. KeyError, TypeError or ValueError when it is none."""
    if "tracepoints" in value:
        return HostInterval(
            time=str(value["time"]),
            seconds=float(value["seconds"]),
            here=int(value["netns"]),
            attached=tuple(value["tracepoints"]),
            events=tuple(_made(Event, event) for event in value["events"]),
            unlisted=int(value["unlisted"]),
        )
    return ObjectInterval(
        time=str(value["time"]),
        seconds=float(value["seconds"]),
        interfaces=tuple(_read_interface(item) for item in value["interfaces"]),
        losses=tuple(_made(LossRate, loss) for loss in value["losses"]),
    )


def _read_interface(value: Mapping[str, Any]) -> InterfaceRates:
    return InterfaceRates(
        name=str(value["name"]),
        mode=str(value["mode"]),
        rules=tuple(_made(RuleRates, rule) for rule in value["rules"]),
        lost=int(value["lost"]),
        unmatched=_made(Traffic, value["unmatched"]),
        protected=_made(Traffic, value["protected"]),
        malformed=_made(Traffic, value["malformed"]),
    )


def _made(kind: type[Made], value: Mapping[str, Any]) -> Made:
    """A flat value of ours; keys that a later version added are passed over."""
    known = {field.name for field in fields(kind)}
    values: dict[str, Any] = {}
    for key, part in value.items():
        name = re.sub("[A-Z]", lambda m: "_" + m[0].lower(), key)
        if name in known:
            values[name] = tuple(part) if isinstance(part, list) else part
    return kind(**values)


class Recorder:
    """Writes a recording; every line is on its way to the file when `write` returns."""

    def __init__(self, stream: TextIO, header: Header) -> None:
        self._stream = stream
        self._line({"recording": FORMAT, **_camel(asdict(header)), "objects": list(header.objects)})

    def write(self, interval: Interval) -> None:
        """Append one interval."""
        self._line(interval_data(interval))

    def _line(self, value: Mapping[str, object]) -> None:
        self._stream.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._stream.flush()


def replay(path: Path) -> tuple[Header, Iterator[Interval]]:
    """Header and intervals of a recording, read as they are asked for; `-` is standard input.

    Raises InvalidInput, with the line, for what is no recording. A last line that was cut off in
    the middle (the machine went down) ends the recording without an error.
    """
    lines = _lines(path)
    first = next(lines, (1, ""))
    try:
        value = json.loads(first[1])
        if value["recording"] != FORMAT:
            raise InvalidInput(
                (f"{path}: recording of format {value['recording']}; this version reads {FORMAT}",)
            )
        header = Header(
            version=str(value["version"]),
            time=str(value["time"]),
            host=str(value["host"]),
            kernel=str(value["kernel"]),
            interval=float(value["interval"]),
            objects=tuple(value["objects"]),
        )
    except (ValueError, KeyError, TypeError):
        raise InvalidInput((f"{path}: {_NOT_OURS}",)) from None
    return header, _intervals(path, lines)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    source = Path("/dev/stdin") if str(path) == "-" else path
    with source.open(encoding="utf-8") as stream:
        yield from enumerate(stream, 1)


def _intervals(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[Interval]:
    for number, line in lines:
        try:
            yield read_interval(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if not line.endswith("\n"):
                return
            raise InvalidInput((f"{path}: line {number}: no interval: {error}",)) from None
