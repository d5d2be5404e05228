"""`xdpredirect doctor`: what this machine lacks, and the command that mends it."""

from typing import TYPE_CHECKING

import click

from xdpredirect.cli.checks import Check, Facts, Grade, abilities, advice, checks, healthy
from xdpredirect.cli.exits import DONE, EXIT_CODES, FAILED
from xdpredirect.cli.options import GENERAL, output_option, settings_options
from xdpredirect.host import Link
from xdpredirect.settings import Settings

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_SIGNS = {
    Grade.OK: ("✓", "good"),
    Grade.NOTE: ("i", "info"),
    Grade.LACKING: ("!", "risk"),
    Grade.MISSING: ("✗", "bad"),
}
_COLUMNS = {
    "native": "NATIVE",
    "redirect": "REDIRECT",
    "target": "TARGET",
    "frags": "FRAGS",
    "targetFrags": "TX FRAGS",
    "zeroCopy": "ZERO-COPY",
}


@click.command(epilog=EXIT_CODES)
@output_option
@settings_options(*GENERAL)
def doctor(settings: Settings, output: str) -> int:
    """Check what this machine lacks, and say how to mend it.

    Looks at kernel, capabilities, mounts, compiler and what every network driver can do. Changes
    nothing. Exit 1 when something is missing without which nothing works.
    """
    from xdpredirect.cli.console import print_all, print_data  # noqa: PLC0415 - rich, to print
    from xdpredirect.cli.facts import gather  # noqa: PLC0415 - --help needs no kernel layer

    facts = gather(settings)
    found = checks(facts)
    if output == "table":
        print_all(parts(facts, found))
    else:
        print_data(data(facts, found), output)
    return DONE if healthy(found) else FAILED


def parts(facts: Facts, found: tuple[Check, ...]) -> list["RenderableType"]:
    """The machine, its network devices, and a verdict."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from xdpredirect.cli.tables import heading, with_commands  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for check in found:
        sign, style = _SIGNS[check.grade]
        words = Text(check.found)
        if check.fix:
            words.append("\n→ ").append(with_commands(check.fix))
        table.add_row(Text(sign, style=style), Text(check.name, style="name"), words)
    links = [link for link in facts.host.links if link.name != "lo"]
    hints = [hint for hint in map(advice, links) if hint]
    return [
        heading("Machine"),
        table,
        "",
        heading("Network devices"),
        _devices(links),
        *(_hint(hint) for hint in hints),
        "",
        _verdict(found),
    ]


def _hint(words: str) -> "Table":
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from xdpredirect.cli.tables import with_commands  # noqa: PLC0415

    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_row(Text(" i", style="info"), with_commands(words))
    return table


def _devices(links: list[Link]) -> "Table":
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="head", padding=(0, 1, 0, 0))
    for title in ("NAME", "DRIVER", *_COLUMNS.values(), "XDP NOW"):
        table.add_column(title, no_wrap=True)
    words = {
        True: Text("yes", style="good"),
        False: Text("no", style="quiet"),
        None: Text("?", style="risk"),
    }
    for link in links:
        able = abilities(link)
        now = f"{link.xdp_mode.value} {link.xdp_prog_id}" if link.xdp_prog_id else "–"
        table.add_row(
            Text(link.name, style="name"),
            Text(link.driver or link.kind or "–"),
            *(words[able[key]] for key in _COLUMNS),
            now,
        )
    return table


def _verdict(found: tuple[Check, ...]) -> "RenderableType":
    from rich.text import Text  # noqa: PLC0415

    missing = [check.name for check in found if check.grade is Grade.MISSING]
    lacking = [check.name for check in found if check.grade is Grade.LACKING]
    if missing:
        return Text(f"Not ready: {', '.join(missing)}", style="bad")
    if lacking:
        return Text(f"Ready, with limits: {', '.join(lacking)}", style="risk")
    return Text("Ready", style="good")


def data(facts: Facts, found: tuple[Check, ...]) -> dict[str, object]:
    """The same for programs."""
    return {
        "ready": healthy(found),
        "checks": [
            {
                "name": check.name,
                "grade": check.grade.value,
                "found": check.found,
                "fix": check.fix.replace("`", ""),
            }
            for check in found
        ],
        "devices": [
            {
                "name": link.name,
                "ifindex": link.ifindex,
                "driver": link.driver,
                **abilities(link),
                "mode": link.xdp_mode.value,
                "program": link.xdp_prog_id,
                "fix": advice(link).replace("`", ""),
            }
            for link in facts.host.links
            if link.name != "lo"
        ],
    }
