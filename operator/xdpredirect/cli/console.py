"""Where output goes: a terminal with colours, a pipe without, or JSON and YAML for programs.

Called by the commands that print. Imports rich, so commands import this module late.
"""

import json
import shutil
import sys
from collections.abc import Iterable

import click
from rich.console import Console, RenderableType
from rich.theme import Theme

# Only the sixteen colours of the terminal's own palette: readable on dark and on light ground.
THEME = Theme(
    {
        "heading": "bold",
        "head": "dim",
        "good": "green",
        "risk": "yellow",
        "bad": "bold red",
        "info": "blue",
        "command": "cyan",
        "name": "bold",
        "quiet": "dim",
    }
)
# Wide enough that a pipe never wraps a table of ordinary names.
PIPE_WIDTH = 120


def console() -> Console:
    """Standard output. Without a terminal: no colour, COLUMNS or 120 columns."""
    width = None if sys.stdout.isatty() else shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
    return Console(theme=THEME, width=width, highlight=False, soft_wrap=False)


def print_all(parts: Iterable[RenderableType]) -> None:
    """Print parts one after another, without the blanks that pad rows to the width."""
    out = console()
    with out.capture() as capture:
        for part in parts:
            out.print(part)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()), color=True)


def print_data(value: object, output: str) -> None:
    """`value` as JSON or YAML, keys in the given order."""
    if output == "json":
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
        return
    import yaml  # noqa: PLC0415 - only for -o yaml

    click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip())
