"""How often the status of one object is written, and events about it are posted. Pure; called by
`loop` with its clock, in monotonic seconds.

A thousand agents that each keep to a limit can still make one object flip as often as a thousand.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

from xdpredirect.controller.actions import ApplyStatus, PostEvent

URGENT_BURST, URGENT_SECONDS = 10, 10.0
"""Of one generation."""
OBJECT_BURST, OBJECT_SECONDS = 30, 2.0
"""Of an object, whatever its generation."""
EVENT_BURST, EVENT_SECONDS = 3, 300.0
_PRUNE_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Allowance:
    """Of each key `burst` at once, after that one in `seconds`."""

    burst: int
    seconds: float
    _whole_at: dict[Hashable, float] = field(default_factory=dict)
    _pruned_at: float = 0.0

    def next_at(self, key: Hashable, now: float) -> float:
        """When the next one may go; not later than `now` when it may at once."""
        return self._whole_at.get(key, now) - (self.burst - 1) * self.seconds

    def use(self, key: Hashable, now: float) -> None:
        """One goes."""
        self._whole_at[key] = max(self._whole_at.get(key, now), now) + self.seconds
        if now - self._pruned_at > _PRUNE_SECONDS:
            self._pruned_at = now
            self._whole_at = {key: at for key, at in self._whole_at.items() if at > now}


class Limits:
    """`counters` is in seconds: at least so long between two writes of one status that differ in
    counters only. What may not go yet is planned again later, as it then is: the last state always
    arrives."""

    def __init__(self, counters: float) -> None:
        self._counters = Allowance(burst=1, seconds=counters)
        self._urgent = Allowance(burst=URGENT_BURST, seconds=URGENT_SECONDS)
        self._object = Allowance(burst=OBJECT_BURST, seconds=OBJECT_SECONDS)
        self._events = Allowance(burst=EVENT_BURST, seconds=EVENT_SECONDS)

    def tell(self, status: ApplyStatus, now: float) -> float:
        """When the status may be written; one that may at once, which is not later than `now`,
        counts as written. Each generation has an allowance of its own: who changes an object, or
        waits for it, does not pay for what nodes did before. Beside it the object has one: two
        writers that take turns at its spec make a generation each time."""
        key = (status.uid, status.status.get("observedGeneration"))
        if status.urgent:
            at = max(self._urgent.next_at(key, now), self._object.next_at(status.uid, now))
        else:
            at = self._counters.next_at(status.uid, now)
        if at <= now:
            self._counters.use(status.uid, now)
            if status.urgent:
                self._urgent.use(key, now)
                self._object.use(status.uid, now)
        return at

    def post(self, event: PostEvent, now: float) -> bool:
        """Whether to post the event; then it counts as posted. The same reason comes seldom: the
        status says what holds now."""
        key = (event.uid, event.reason)
        if self._events.next_at(key, now) > now:
            return False
        self._events.use(key, now)
        return True
