"""How one XdpRedirect stands on one node that it selects. Pure; called by `fleet`."""

from dataclasses import dataclass
from enum import Enum

from xdpredirect.controller.observed import NodeObject, Redirect, Report


class Standing(Enum):
    """Exactly one of these holds. SILENT: the node does not answer, whatever it said before.
    WAITING: it will be reported about. RETRIED: it failed, and the agent goes on trying."""

    READY = "ready"
    WITHOUT_INTERFACE = "without interface"
    WAITING = "waiting"
    RETRIED = "retried"
    STALLED = "stalled"
    TOO_LARGE = "too large"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Part:
    """One node's share of an object's status. `report` is the last that there is about the object,
    whatever its generation; `updated`: it is about the generation that is wanted."""

    standing: Standing
    reason: str = ""
    message: str = ""
    updated: bool = False
    report: Report | None = None

    def differs_in_counters(self, other: "Part") -> bool:
        """Whether nothing differs that a condition is made of."""
        mine, theirs = self.report, other.report
        if mine is None or theirs is None:
            return False
        return (self.standing, self.reason, self.message, self.updated) == (
            other.standing,
            other.reason,
            other.message,
            other.updated,
        ) and (mine.risk, mine.risk_message) == (theirs.risk, theirs.risk_message)


_BY_STATE = {
    "Active": Standing.READY,
    "Paused": Standing.READY,
    "Detached": Standing.READY,
    "NoInterface": Standing.WITHOUT_INTERFACE,
    "Failed": Standing.RETRIED,
    "Stalled": Standing.STALLED,
    "Conflicted": Standing.STALLED,
}


def stand(redirect: Redirect, there: NodeObject | None, silent: bool, left_out: bool) -> Part:
    """The part of one node. `there` is its node object, `silent` whether the node has not answered
    for too long, `left_out` whether the object has no room in its spec."""
    report = there.reports.get(redirect.name) if there else None
    if report is not None and report.uid != redirect.uid:
        report = None
    updated = (
        there is not None
        and report is not None
        and report.generation == redirect.generation
        and _about_this(there, redirect)
    )
    if silent:
        return Part(Standing.SILENT, updated=updated, report=report)
    if left_out:
        return Part(Standing.TOO_LARGE, report=report)
    if report is not None and updated:
        standing = _BY_STATE.get(report.state, Standing.WAITING)
        updated = standing is not Standing.WAITING
        return Part(standing, report.reason or report.state, report.message, updated, report)
    if there is not None and there.refusal is not None:
        refusal = there.refusal
        return Part(Standing.STALLED, refusal.reason, refusal.message, report=report)
    return Part(Standing.WAITING, report=report)


def _about_this(there: NodeObject, redirect: Redirect) -> bool:
    """Whether the agent has read a spec that carries the object since it is there: what it said
    before the object left and came back is outdated."""
    since = there.since.get(redirect.uid)
    return since is not None and there.observed_revision >= since
