"""Which lines of a log are written when the same client causes the same one again and again: pure.

Called by `client_log`. The first LINES of a window are written, and at its end how many more there
were; so what a client can make a node write is bounded, and nothing that happens once is left out.

    limit = Limit()
    limit.admits(key, "socket of queue 0 of eth0: handed to process 7", now=12.0)
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

LINES, WINDOW_SECONDS = 5, 60.0
MOST_KEYS = 1024
"""Windows at a time; whoever comes on top of them shares one."""
_OTHERS = object()


class HeldBack(NamedTuple):
    """So many lines of a window were not written, of which `line` is the last."""

    key: Hashable
    lines: int
    line: str


@dataclass
class _Window:
    ends: float
    written: int = 0
    held_back: int = 0
    last: str = ""


class Limit:
    """`now` is in seconds and never goes back. `ended` has to be asked before `admits`."""

    def __init__(self) -> None:
        # All last equally long, so that they end in the order in which they were put in.
        self._windows: dict[Hashable, _Window] = {}

    def admits(self, key: Hashable, line: str, now: float) -> bool:
        """Whether the line is to be written; otherwise it is counted. A window begins with the
        first line of its key."""
        if key not in self._windows and len(self._windows) >= MOST_KEYS:
            key = _OTHERS
        window = self._windows.setdefault(key, _Window(now + WINDOW_SECONDS))
        if window.written < LINES:
            window.written += 1
            return True
        window.held_back += 1
        window.last = line
        return False

    def ended(self, now: float) -> Iterator[HeldBack]:
        """What was held back in windows that are over by now. They are forgotten."""
        while self._windows:
            key, window = next(iter(self._windows.items()))
            if window.ends > now:
                return
            del self._windows[key]
            if window.held_back:
                yield HeldBack(key, window.held_back, window.last)

    def deadline(self) -> float | None:
        """When `ended` will have something to say; None as long as nothing is held back."""
        return min((w.ends for w in self._windows.values() if w.held_back), default=None)
