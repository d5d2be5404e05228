"""Sums over the nodes of one XdpRedirect, kept up to date node by node. Pure; called by `fleet`.

A change of one node costs what that node says, whatever the size of the fleet.
"""

from collections import Counter
from dataclasses import dataclass
from enum import Enum

from xdpredirect.controller.counted import Cause, Counted
from xdpredirect.controller.observed import Report
from xdpredirect.controller.standing import Part, Standing

FAILING = frozenset({Standing.RETRIED, Standing.STALLED})


class Change(Enum):
    """What a node's new part changes of the object's status; only COUNTERS may wait."""

    NOTHING = 0
    COUNTERS = 1
    STANDING = 2


@dataclass(slots=True)
class Lost:
    """Losses of one cause. `hints` counts the nodes that give each hint: they may differ while the
    fleet is being upgraded."""

    packets: int
    nodes: int
    hints: Counter[str]


class Tally:
    """Of one object. `standing`, `updated`, the counts and `losses` are sums over `parts`, which
    are by node; `risks` has the nodes where frames are at risk. `counted` are not sums over the
    nodes of now: what a node that left had counted stays in it."""

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self.risks: dict[str, Report] = {}
        self.losses: dict[Cause, Lost] = {}
        self.counted = Counted()
        self.standing: Counter[Standing] = Counter()
        self.updated = 0
        self.native = self.generic = self.conflicted = 0
        self.redirected = self.passed = self.dropped = self.lost = 0

    def put(self, node: str, part: Part | None) -> Change:
        """Replace what the node contributes; None: nothing any more."""
        before = self.parts.get(node)
        if before == part:
            return Change.NOTHING
        if before is not None:
            del self.parts[node]
            self.risks.pop(node, None)
            self._add(before, -1)
        if part is not None:
            self.parts[node] = part
            if part.report is not None and part.report.risk:
                self.risks[node] = part.report
            self._add(part, 1)
        self._count(before, part)
        if before is not None and part is not None and part.differs_in_counters(before):
            return Change.COUNTERS
        return Change.STANDING

    def nodes(self, *standings: Standing) -> list[str]:
        """The nodes that stand so, by name."""
        if not any(self.standing[standing] for standing in standings):
            return []
        return sorted(name for name, part in self.parts.items() if part.standing in standings)

    def _count(self, before: Part | None, part: Part | None) -> None:
        old = before.report if before is not None else None
        self.counted.add(old, part.report if part is not None else None)
        for loss in old.losses if old is not None else ():
            cause = Cause(loss.reason, loss.errno, loss.rule)
            if cause not in self.losses and cause in self.counted.losses:
                self.counted.forget(cause)

    def _add(self, part: Part, sign: int) -> None:
        self.standing[part.standing] += sign
        self.updated += sign * part.updated
        report = part.report
        if report is None:
            return
        self.native += sign * report.native
        self.generic += sign * report.generic
        self.conflicted += sign * report.conflicted
        self.redirected += sign * report.redirected
        self.passed += sign * report.passed
        self.dropped += sign * report.dropped
        self.lost += sign * report.lost
        self._add_losses(report, sign)

    def _add_losses(self, report: Report, sign: int) -> None:
        # An agent reports one cause for each target; a node still counts once for it.
        seen = set()
        for loss in report.losses:
            cause = Cause(loss.reason, loss.errno, loss.rule)
            lost = self.losses.setdefault(cause, Lost(0, 0, Counter()))
            lost.packets += sign * loss.packets
            lost.hints[loss.hint] += sign
            seen.add(cause)
        for cause in seen:
            lost = self.losses[cause]
            lost.nodes += sign
            if not lost.nodes:
                del self.losses[cause]
