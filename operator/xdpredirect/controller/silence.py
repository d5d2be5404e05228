"""Which nodes leave their spec unanswered for too long. Pure; called by `fleet`.

A quiet node writes nothing, so silence is told from an answer that is missing, not from age. Time
counts from when this process saw that an answer is missing: no clock of another machine is asked.
"""

from xdpredirect.controller.observed import NodeObject


class Silence:
    """`silent` holds nodes that no longer count until they say something. `bound` is in seconds."""

    def __init__(self, bound: float) -> None:
        self._bound = bound
        self._asked: dict[str, float] = {}
        self._new: set[str] = set()
        self.silent: set[str] = set()

    def heard(self, new: NodeObject, old: NodeObject | None) -> None:
        """The node object changed. Asking again does not make a silent node count again."""
        name = new.name
        spoke = old is None or (old.observed_revision, old.reported, old.uid) != (
            new.observed_revision,
            new.reported,
            new.uid,
        )
        if new.answered:
            self.forget(name)
        elif spoke or (name not in self._asked and name not in self._new):
            self.forget(name)
            self._new.add(name)

    def forget(self, name: str) -> None:
        """Nothing is expected of the node."""
        self._asked.pop(name, None)
        self._new.discard(name)
        self.silent.discard(name)

    def advance(self, now: float) -> list[str]:
        """The nodes that fall silent at `now`, in seconds of a clock that nobody sets. What was
        heard of since the last call counts from now."""
        self._asked |= dict.fromkeys(self._new, now)
        self._new = set()
        fallen = [
            name
            for name, asked in self._asked.items()
            if name not in self.silent and now - asked >= self._bound
        ]
        self.silent.update(fallen)
        return fallen

    def next_at(self) -> float | None:
        """When `advance` has something to do: at once where it has not been called since a node was
        asked, then when the next may fall silent; None while everybody has answered."""
        if self._new:
            return 0.0
        waiting = [asked for name, asked in self._asked.items() if name not in self.silent]
        return min(waiting) + self._bound if waiting else None
