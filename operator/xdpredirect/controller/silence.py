"""Which nodes owe an answer for too long. Pure; called by `fleet`.

A quiet node writes nothing, so silence is told from an answer that is missing, not from age. Time
counts from when this process saw that an answer is missing: no clock of another machine is asked.
"""

from xdpredirect.controller.observed import NodeObject


class Silence:
    """`silent` holds nodes that said nothing for `bound` seconds while they owe an answer."""

    def __init__(self, bound: float) -> None:
        self._bound = bound
        self._asked: dict[str, float] = {}
        self._new: set[str] = set()
        self.silent: set[str] = set()

    def heard(self, name: str, *, owes: bool, spoke: bool) -> None:
        """The node object changed; `spoke`: the agent changed it. Asking again does not make a
        silent node count again."""
        if not owes:
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


REMEMBERED = 10_000
"""Nodes in `Answers.unfinished`: names that never come back must not pile up."""


class Answers:
    """What nodes owe, two accounts with one bound. `spec`: they have not acted on the spec as it
    is. `detaching`: they have, and still report what it no longer has. `holding` are nodes that
    have not let go of everything, `unfinished` those whose object vanished before they had, the
    oldest first: should they come back, they have to be told to. `changes` counts changes of these.
    `estranged` are those that have not answered since: nobody knows by name what they run.
    """

    def __init__(self, bound: float) -> None:
        self.spec, self.detaching = Silence(bound), Silence(bound)
        self.unfinished: dict[str, None] = {}
        self.estranged: set[str] = set()
        self.holding: set[str] = set()
        self.changes = 0

    def heard(self, new: NodeObject, old: NodeObject | None) -> None:
        """The node object changed."""
        spoke = old is None or (old.observed_revision, old.reported, old.uid) != (
            new.observed_revision,
            new.reported,
            new.uid,
        )
        if new.let_go == (new.name in self.holding) or new.name in self.unfinished:
            self.changes += 1
            self.unfinished.pop(new.name, None)
            (self.holding.discard if new.let_go else self.holding.add)(new.name)
        if old is not None and old.answered:
            # With the answer itself it is still to be looked at for what it may hold.
            self.estranged.discard(new.name)
        detaching = new.answered and bool(new.leftovers)
        self.spec.heard(new.name, owes=not new.answered, spoke=spoke)
        self.detaching.heard(new.name, owes=detaching, spoke=spoke)

    def vanished(self, old: NodeObject) -> None:
        """There is no node object any more."""
        self.spec.forget(old.name)
        self.detaching.forget(old.name)
        if old.let_go:
            self.estranged.discard(old.name)
        else:
            self.holding.discard(old.name)
            self.remember(old.name)

    def remember(self, name: str) -> None:
        """A node without an object may run something."""
        self.changes += 1
        self.unfinished[name] = None
        self.estranged.add(name)
        if len(self.unfinished) > REMEMBERED:
            oldest = next(iter(self.unfinished))
            del self.unfinished[oldest]
            self.estranged.discard(oldest)

    def next_at(self) -> float | None:
        """When to let time pass, at the latest; None while nobody owes anything."""
        times = (self.spec.next_at(), self.detaching.next_at())
        return min((at for at in times if at is not None), default=None)
