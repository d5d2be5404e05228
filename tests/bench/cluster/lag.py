"""How old the sums in an object's status are. Pure; called by `fleet`.

The operator learns of writes in the order of their versions, and all counters only grow: a status
holds a write when its sum is at least the sum of all nodes right after that write.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """One status of a node as it was stored; `packets` are those redirected since ever."""

    at: float
    node: str
    version: int
    packets: int


def lags(notes: Iterable[Note], seen: Sequence[tuple[float, int]], since: float) -> list[float]:
    """Seconds from each write after `since` to the first of `seen` that holds it.

    `seen` are times and sums of the object's status in the order of time; both clocks are one. A
    write that no status holds is a ValueError: its lag is not known.
    """
    ordered = sorted(notes, key=lambda note: note.version)
    latest: dict[str, int] = {}
    total = position = 0
    found = []
    for note in ordered:
        total += note.packets - latest.get(note.node, 0)
        latest[note.node] = note.packets
        while position < len(seen) and seen[position][1] < total:
            position += 1
        if note.at < since:
            continue
        if position == len(seen):
            raise ValueError(f"no status holds what {note.node} wrote at {note.at}")
        found.append(max(0.0, seen[position][0] - note.at))
    return found


def percentile(values: Iterable[float], share: int) -> float:
    """The value that `share` per cent of them do not pass (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]
