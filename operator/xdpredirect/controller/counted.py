"""What the nodes of one XdpRedirect counted, as totals that never go back. Pure; kept by `tally`.

A status has sums over the nodes that are there now, which fall when a node leaves; a rate of them
would then show frames that there never were. These totals add what each node counts, by the rule
that Prometheus has for one counter: what is less than before began anew.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from xdpredirect.controller.observed import Report


class Cause(NamedTuple):
    """What losses of different nodes must share to be one."""

    reason: str
    errno: str
    rule: str


@dataclass(slots=True)
class Counted:
    """Frames since this process knows the object. `losses` has a cause as long as a node gives it:
    see `forget`."""

    redirected: int = 0
    passed: int = 0
    dropped: int = 0
    lost: int = 0
    losses: Counter[Cause] = field(default_factory=Counter)

    def add(self, before: Report | None, after: Report | None) -> None:
        """What one node says, and what it said before that; None: nothing."""
        if after is None:
            return
        self.redirected += grown(before.redirected if before else 0, after.redirected)
        self.passed += grown(before.passed if before else 0, after.passed)
        self.dropped += grown(before.dropped if before else 0, after.dropped)
        self.lost += grown(before.lost if before else 0, after.lost)
        known = by_cause(before)
        for cause, packets in by_cause(after).items():
            self.losses[cause] += grown(known[cause], packets)

    def forget(self, cause: Cause) -> None:
        """No node gives this cause any more."""
        del self.losses[cause]


def grown(before: int, after: int) -> int:
    """By how much a counter grew that may have begun anew in between."""
    return after - before if after >= before else after


def by_cause(report: Report | None) -> Counter[Cause]:
    """Losses of one node. An agent reports one cause for each target."""
    found: Counter[Cause] = Counter()
    for loss in report.losses if report else ():
        found[Cause(loss.reason, loss.errno, loss.rule)] += loss.packets
    return found
