"""Keys that wait: after a failure, or because their status was written a moment ago. Pure.

Called by `loop` with its clock, in monotonic seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from xdpredirect.cluster.backoff import Backoff
from xdpredirect.controller.due import Due

FIRST, LONGEST = 0.25, 60.0


@dataclass(slots=True, kw_only=True)
class Pending:
    """One failing key never holds up another. `chance` returns a number in [0, 1)."""

    chance: Callable[[], float]
    _until: dict[tuple[str, str], float] = field(default_factory=dict)
    _backoffs: dict[tuple[str, str], Backoff] = field(default_factory=dict)
    _waiting: dict[tuple[str, str], float] = field(default_factory=dict)
    _resting: dict[str, float] = field(default_factory=dict)

    def ready(self, due: Due, now: float) -> Due:
        """Of `due`, and of what waits, the keys whose time has come. Counters alone wait until the
        redirect has rested: before that nobody even adds them up."""
        hurried = set(due.redirects)
        for name in due.counters:
            until = self._resting.get(name, now)
            if until > now:
                self.wait("redirect", name, until)
            else:
                hurried.add(name)
        redirects = self._ready("redirect", frozenset(hurried), now)
        return Due(redirects, self._ready("node", due.nodes, now))

    def failed(self, kind: str, name: str, now: float, at_least: float) -> float:
        """Plan this key again later, each time later; returns the delay. `at_least` is in seconds,
        as the server asked."""
        key = (kind, name)
        backoff = self._backoffs.setdefault(
            key, Backoff(chance=self.chance, first=FIRST, longest=LONGEST)
        )
        delay = backoff.next(at_least)
        self._until[key] = self._waiting[key] = now + delay
        return delay

    def blocked(self, kind: str, name: str, now: float) -> bool:
        """Whether this key failed a moment ago."""
        return self._until.get((kind, name), 0.0) > now

    def succeeded(self, kind: str, name: str) -> None:
        """The next failure of this key starts with a short delay again."""
        self._backoffs.pop((kind, name), None)
        self._until.pop((kind, name), None)

    def forget(self, kind: str, name: str) -> None:
        """There is no such key any more."""
        self.succeeded(kind, name)
        self._waiting.pop((kind, name), None)
        if kind == "redirect":
            self._resting.pop(name, None)

    def rest(self, redirect: str, until: float) -> None:
        """Its status was written; counters alone are no reason to write it again before `until`."""
        self._resting[redirect] = until

    def wait(self, kind: str, name: str, until: float) -> None:
        """Plan this key again at `until`; something more urgent may come before. One that failed
        waits its time whatever comes."""
        key = (kind, name)
        until = max(until, self._until.get(key, until))
        self._waiting[key] = min(until, self._waiting.get(key, until))

    def next_at(self) -> float | None:
        """When the next key's time comes."""
        return min(self._waiting.values(), default=None)

    def _ready(self, kind: str, due: frozenset[str], now: float) -> frozenset[str]:
        found = set()
        for name in due:
            until = self._until.get((kind, name), 0.0)
            if until > now:
                self._waiting[(kind, name)] = until
            else:
                found.add(name)
        for (of, name), at in list(self._waiting.items()):
            if at <= now and of not in ("redirect", "node"):
                del self._waiting[(of, name)]  # planned at every pass anyway
            elif at <= now and of == kind:
                del self._waiting[(of, name)]
                found.add(name)
        return frozenset(found)
