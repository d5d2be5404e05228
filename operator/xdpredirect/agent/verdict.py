"""How one object stands on this machine: from what the agent found to a kstatus verdict. Pure.

Called by `agent.status`; the first row that fits decides, worst first.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

from xdpredirect.agent.report import Finding, InterfaceReport, ObjectReport, Severity
from xdpredirect.conditions import Truth, Verdict

_AWAY = " (in another network namespace)"


def verdict(found: ObjectReport, here: Collection[InterfaceReport]) -> Verdict:
    """How the object stands on this machine; the first row that fits decides.

    `here` are the interfaces that carry, or should carry, the object.
    """
    stalled = _first(found.findings, Severity.STALLED)
    risk = _risk(found)
    if not found.selected:
        words = "nodeSelector matches none of the nodes; correct it, or label a node"
        return _done(
            "NothingSelected",
            words,
            Finding(object=found.name, reason="NothingSelected", message=words),
        )
    if found.state == "Paused":
        return _done("Paused", _paused(found), risk)
    if stalled is not None:
        return _not_ready(stalled.reason, stalled.message, risk, stalled=True)
    if found.conflicted:
        words = f"another object forbids this one on {_and(found.conflicted)}"
        reason = _reason(found.findings, "Conflicted", words)
        return _not_ready("Conflicted", reason, risk, stalled=True)
    if found.failed:
        errors = {item.name: item.error for item in here if item.error}
        words = "; ".join(f"{name}: {errors.get(name, 'not applied')}" for name in found.failed)
        return _not_ready("ApplyFailed", words, risk or _finding(found, "ApplyFailed", words))
    if found.state == "Detached":
        if found.interfaces:
            return _under_way(f"detaching from {_and(found.interfaces)}", risk)
        return _done("Detached", "nothing is attached, as state: Detached asks", risk)
    if found.applied_generation != found.generation:
        return _under_way(f"generation {found.generation} is being applied", risk)
    if not found.interfaces:
        words = "no interface of this machine matches spec.interfaces"
        return _done("NoInterface", words, risk or _finding(found, "NoInterface", words))
    away = {item.name for item in here if item.away}
    names = [f"{name}{_AWAY if name in away else ''}" for name in found.interfaces]
    return _done("Redirecting", f"running on {_and(names)}", risk)


def _done(reason: str, message: str, risk: Finding | None) -> Verdict:
    return Verdict(
        ready=Truth.TRUE,
        reason=reason,
        message=message,
        degraded=risk.reason if risk else "",
        degraded_message=risk.message if risk else "",
    )


def _under_way(message: str, risk: Finding | None) -> Verdict:
    return Verdict(
        ready=Truth.UNKNOWN,
        reason="Progressing",
        message=message,
        progressing=True,
        degraded=risk.reason if risk else "",
        degraded_message=risk.message if risk else "",
    )


def _not_ready(reason: str, message: str, risk: Finding | None, stalled: bool = False) -> Verdict:
    """A failure that the agent tries again is also progressing: the next pass may mend it."""
    return Verdict(
        ready=Truth.FALSE,
        reason=reason,
        message=message,
        progressing=not stalled,
        stalled=stalled,
        degraded=risk.reason if risk else "",
        degraded_message=risk.message if risk else "",
    )


def _risk(found: ObjectReport) -> Finding | None:
    """One finding that stands for all that put frames at risk, with all their messages; frames
    that are being lost come first."""
    risks = [*_losing(found), *(f for f in found.findings if f.severity is Severity.DEGRADED)]
    if not risks:
        return None
    words = "; ".join(
        f"{item.interface}: {item.message}" if item.interface else item.message for item in risks
    )
    return _finding(found, risks[0].reason, words)


def _losing(found: ObjectReport) -> list[Finding]:
    """The cause that costs the most frames now."""
    now = [loss for loss in found.losses if loss.rate > 0]
    if not now:
        return []
    top = max(now, key=lambda loss: loss.rate)
    words = f"{sum(loss.rate for loss in now):.1f} frames a second are lost. {top.hint}"
    return [replace(_finding(found, top.reason, words), interface=top.interface)]


def _finding(found: ObjectReport, reason: str, message: str) -> Finding:
    return Finding(object=found.name, reason=reason, message=message)


def _first(findings: Iterable[Finding], severity: Severity) -> Finding | None:
    return next((item for item in findings if item.severity is severity), None)


def _reason(findings: Iterable[Finding], reason: str, otherwise: str) -> str:
    return next((item.message for item in findings if item.reason == reason), otherwise)


def _paused(found: ObjectReport) -> str:
    if not found.applied_generation:
        return "paused before anything was applied; nothing is attached"
    if found.applied_generation == found.generation:
        return f"paused; generation {found.generation} keeps running"
    return (
        f"paused; generation {found.applied_generation} keeps running, "
        f"generation {found.generation} waits"
    )


def _and(names: Iterable[str]) -> str:
    return ", ".join(names)
