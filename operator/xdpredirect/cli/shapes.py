"""What all tables on a terminal have in common. Called by the modules that build tables."""

import re

from rich.table import Table
from rich.text import Text

# Two blanks between columns where there is room, one on a terminal of 80 columns.
WIDE = 100
_LISTS = ("ACTION AND TARGETS", "INTERFACES", "OBJECT/RULE", "FROM AND TO", "HOLDER")


def heading(text: str) -> Text:
    """A heading over a table."""
    return Text(text.upper(), style="heading")


def with_commands(message: str) -> Text:
    """The sentence with what stands in back quotes as a command."""
    text = Text()
    for number, part in enumerate(re.split(r"`([^`]*)`", message)):
        text.append(part, style="command" if number % 2 else "")
    return text


def make_table(width: int, *columns: str) -> Table:
    """Columns that start with `>` hold numbers, which are never cut or wrapped."""
    gap = 2 if width >= WIDE else 1
    table = Table(box=None, pad_edge=False, header_style="head", padding=(0, gap, 0, 0))
    for column in columns:
        title = column.removeprefix(">")
        lists = title in _LISTS
        table.add_column(
            title,
            justify="right" if column.startswith(">") else "left",
            no_wrap=not lists,
            min_width=len(title),
            overflow="fold",
        )
    return table
