"""Which nodes leave their spec unanswered for too long. Pure; called by `fleet`.

A quiet node writes nothing, so silence is told from an answer that is missing, not from age.
"""

from xdpredirect.controller.observed import NodeObject


class Silence:
    """`silent` holds nodes that no longer count until they say something. `bound` is in seconds."""

    def __init__(self, bound: float) -> None:
        self._bound = bound
        self._asked: dict[str, float] = {}
        self.silent: set[str] = set()

    def heard(self, new: NodeObject, old: NodeObject | None) -> None:
        """The node object changed. Asking again does not make a silent node count again."""
        name = new.name
        spoke = old is None or (old.observed_revision, old.reported_at, old.uid) != (
            new.observed_revision,
            new.reported_at,
            new.uid,
        )
        if new.answered:
            self.forget(name)
        elif spoke or name not in self._asked:
            self._asked[name] = max(new.written_at, new.reported_at)
            self.silent.discard(name)

    def forget(self, name: str) -> None:
        """Nothing is expected of the node."""
        self._asked.pop(name, None)
        self.silent.discard(name)

    def advance(self, now: float) -> list[str]:
        """The nodes that fall silent at `now`, in seconds since 1970."""
        fallen = [
            name
            for name, asked in self._asked.items()
            if name not in self.silent and now - asked >= self._bound
        ]
        self.silent.update(fallen)
        return fallen

    def next_at(self) -> float | None:
        """When the next node may fall silent; None while everybody has answered."""
        waiting = [asked for name, asked in self._asked.items() if name not in self.silent]
        return min(waiting) + self._bound if waiting else None
