"""docs/monitor.md names every option, every field of `-o json` and every table, and no others."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.unit.cli.monitor_samples import busy, machine
from xdpredirect.agent.recording import Interval, interval_data
from xdpredirect.cli.monitor import monitor
from xdpredirect.cli.monitor_events import _TABLES

DOC = (Path(__file__).parents[3] / "docs" / "monitor.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", DOC, re.MULTILINE | re.DOTALL))


def paths(value: Any, before: str = "") -> Iterator[str]:
    """Every field of a document; names of tracepoints are no fields."""
    if before == "tracepoints":
        yield "tracepoints.NAME"
    elif isinstance(value, dict) and set(value) != {"packets", "octets"}:
        for key, part in value.items():
            yield from paths(part, f"{before}.{key}" if before else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from paths(value[0], f"{before}[]")
    else:
        yield before


def documented() -> set[str]:
    """Paths in the first columns; one that begins with a dot goes on behind the one before it."""
    found = set()
    rows = re.findall(r"^\| (`.*?) \|", SECTIONS["For programs"], re.MULTILINE)
    for row in rows:
        stem = ""
        for path in re.findall(r"`([^`]+)`", row):
            full = stem + path if path.startswith(".") else path
            stem = full.rpartition(".")[0] if not path.startswith(".") else stem
            found.add(full)
    return found


@pytest.mark.parametrize("interval", [busy(), machine()])
def test_every_field_is_documented(interval: Interval) -> None:
    assert set(paths(interval_data(interval))) <= documented()


def test_no_other_field_is_documented() -> None:
    there = set(paths(interval_data(busy()))) | set(paths(interval_data(machine())))
    assert documented() <= there


def test_every_option_stands_with_its_variable() -> None:
    rows = re.findall(
        r"^\| `(-[^ `]+)[^|]*?(?:\\\|[^|]*?)*\| `(\w+)`", SECTIONS["Options"], re.MULTILINE
    )
    general = {"bpffs", "state_dir", "compiler_python", "node_labels", "attach", "log"}
    options = [p for p in monitor.params if isinstance(p, click.Option) and p.name not in general]
    assert dict(rows) == {option.opts[0]: option.envvar for option in options}


def test_every_table_is_explained() -> None:
    told = re.findall(r"^\| ([A-Z][A-Z ]+) \|", SECTIONS["Everything on the machine"], re.MULTILINE)
    assert told == [title.upper() for title in _TABLES]
