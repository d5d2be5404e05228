"""What the audience sees: one line a step, the commands, and at the end what was counted.

Called by the scenes. On a terminal with colours and a spinner; in a log the same lines, plain.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table
from rich.text import Text

# Without a terminal: wide enough for the tables of `xdpredirect status`.
LOG_WIDTH = 124
NARROWEST = 80
INDENT = 5
# Lines of a failure that are worth reading.
WORDY = 6
# Seconds that are worth telling.
SHORTEST = 0.1


class CheckFailed(Exception):
    """Something was not as the demonstration promised; the message gives the numbers."""


def plain(output: str) -> str:
    """Words of a command's output on one line, without colours."""
    return " ".join(Text.from_ansi(output).plain.split())


@dataclass
class Step:
    """One step; its line is printed when it has ended."""

    words: str
    outcome: list[str] = field(default_factory=list)

    def says(self, outcome: str) -> None:
        """Adds to what is printed after the words."""
        self.outcome.append(outcome)

    def check(self, good: bool, outcome: str, otherwise: str) -> None:
        """Says `outcome` when `good`, else raises CheckFailed with `otherwise`."""
        if not good:
            raise CheckFailed(otherwise)
        self.says(outcome)


@dataclass(frozen=True)
class Count:
    """What was sent in a step, and what arrived. Both in `unit`."""

    what: str
    sent: int
    received: int
    unit: str


class Stage:
    """Prints steps in their order and keeps the counts for the table at the end."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = LOG_WIDTH
        self._number = 0
        self._counts: list[Count] = []

    @property
    def width(self) -> int:
        """Columns left for the output of a command."""
        return max(self.console.width, NARROWEST) - INDENT - 2

    @property
    def colours(self) -> bool:
        """Whether a command should print colours."""
        return self.console.is_terminal

    def title(self, words: str) -> None:
        """The first line."""
        self.console.print()
        self.console.rule(Text(words, style="bold"), align="left", style="cyan")

    @contextmanager
    def step(self, words: str) -> Iterator[Step]:
        """One numbered step: a spinner while it runs, a line with outcome and time after it."""
        self._number += 1
        step, begun = Step(words), time.monotonic()
        sign, style = "✗", "bold red"
        try:
            with self.console.status(Text(words, style="dim"), spinner="dots"):
                yield step
            sign, style = "✓", "bold green"
        finally:
            self._line(step, (sign, style), time.monotonic() - begun)

    def count(self, step: Step, count: Count) -> None:
        """Checks that all that was sent arrived; says both numbers."""
        self._counts.append(count)
        lost = count.sent - count.received
        numbers = f"{count.received:,} of {count.sent:,} {count.unit}"
        step.check(lost == 0, numbers, f"{count.what}: {numbers} arrived, {lost:,} lost")

    def command(self, *words: str) -> None:
        """A command that is about to run, as one would type it."""
        line = Text(" " * INDENT).append("$ ", style="dim").append(" ".join(words), style="cyan")
        self.console.print(line, soft_wrap=True)

    def output(self, text: str) -> None:
        """What a command printed, with its own colours, behind a bar."""
        for line in text.rstrip().splitlines():
            shown = Text(" " * INDENT).append("│ ", style="dim").append(Text.from_ansi(line))
            self.console.print(shown, soft_wrap=True)
        self.console.print()

    def remark(self, words: str) -> None:
        """A note on the output before it."""
        self.console.print(Text(" " * INDENT).append(words, style="dim"))
        self.console.print()

    def picture(self, drawing: str) -> None:
        """A drawing, in the middle of nothing."""
        self.console.print()
        for line in drawing.splitlines():
            self.console.print(Text(" " * INDENT + line, style="cyan"))
        self.console.print()

    def failed(self, words: str) -> None:
        """Why the demonstration stops here: all of a few lines, or both ends of many."""
        lines = words.splitlines()
        if len(lines) > WORDY:
            lines = [lines[0], "…", *lines[-WORDY:]]
        for line in lines:
            self.console.print(Text(" " * INDENT).append(line, style="bold red"))

    def verdict(self, code: int, seconds: float) -> None:
        """The table of counts and one line."""
        if self._counts:
            self.console.print()
            with self.console.capture() as capture:
                self.console.print(self._table())
            for line in capture.get().splitlines():
                self.console.print(Text.from_ansi(" " * INDENT + line.rstrip()))
            self.console.print()
        good = code == 0
        words = "Every check held" if good else f"Failed (exit {code})"
        text = Text(f"{'✓' if good else '✗'} {words}", style="bold green" if good else "bold red")
        self.console.print(text.append(f" in {seconds:.0f} s", style="dim"))

    def _line(self, step: Step, sign: tuple[str, str], seconds: float) -> None:
        number, mark = Text(f"{self._number:>2}", style="dim"), Text(sign[0], style=sign[1])
        text = Text(step.words, style="bold")
        if step.outcome:
            text.append(" · ", style="not bold dim")
            text.append(", ".join(step.outcome), style="not bold")
        if seconds >= SHORTEST:
            text.append(f"  {seconds:.1f} s", style="not bold dim")
        if not self.console.is_terminal:
            self.console.print(Text(" ").join((number, mark, text)), soft_wrap=True)
            return
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_row(number, mark, text)
        self.console.print(line)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
        table.add_column("TRAFFIC")
        for title in ("SENT", "RECEIVED", "LOST"):
            table.add_column(title, justify="right")
        table.add_column("")
        for count in self._counts:
            lost = count.sent - count.received
            style = "bold green" if lost == 0 else "bold red"
            numbers = (f"{count.sent:,}", f"{count.received:,}", Text(f"{lost:,}", style=style))
            table.add_row(count.what, *numbers, Text(count.unit, style="dim"))
        return table
