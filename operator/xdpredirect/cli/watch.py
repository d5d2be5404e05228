"""The moving picture of `status --watch` and `monitor`: redrawn in place on a terminal, printed
elsewhere.

Called by `status` and `monitor`.
"""

import sys
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from xdpredirect.agent.report import Report
from xdpredirect.cli.console import console, print_all
from xdpredirect.cli.tables import report_parts


class Screen:
    """Shows one report after another. Use as a context manager: it gives the terminal back."""

    def __init__(self, output: str) -> None:
        in_place = output == "table" and sys.stdout.isatty()
        self._live = Live(console=console(), screen=True, auto_refresh=False) if in_place else None
        self._last: RenderableType | None = None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is None:
            return
        self._live.stop()
        if self._last is not None:
            # The alternate screen is gone; what was seen last stays on the terminal.
            print_all([self._last])

    def show(
        self,
        report: Report,
        problems: tuple[str, ...],
        rates: dict[tuple[str, str, str], str],
        time: str,
    ) -> None:
        """Replace the picture; `time` is when the report was made."""
        parts: list[RenderableType] = [
            Text(time, style="quiet"),
            *report_parts(report, console().width, rates),
        ]
        parts += [Text(f"error: {problem}", style="bad") for problem in problems]
        self.draw(parts)

    def draw(self, parts: list[RenderableType]) -> None:
        """Replace the picture, or print it where no terminal is."""
        picture = Group(*parts)
        self._last = picture
        if self._live is not None:
            self._live.update(picture, refresh=True)
        else:
            print_all([picture, ""])
            sys.stdout.flush()
