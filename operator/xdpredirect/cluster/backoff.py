"""How long to wait before the next attempt. Pure; called by `cluster.reflector` and by writers.

Doubling with jitter: a thousand agents that lost the same API server must not return together.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Seconds between attempts, from `first` doubling to `longest`. `chance` returns a number in
    [0, 1); a delay is between half and all of its step."""

    chance: Callable[[], float]
    first: float = 0.5
    longest: float = 30.0
    _step: float = 0.0

    def next(self, at_least: float = 0.0) -> float:
        """The delay before the next attempt; not shorter than the server asked for."""
        self._step = min(self._step * 2 or self.first, self.longest)
        jittered = self._step * (0.5 + self.chance() / 2)
        # Those who were told the same number must not return together either.
        return max(jittered, at_least * (1 + self.chance() / 4))

    def reset(self) -> None:
        """It went well."""
        self._step = 0.0
