"""How one XdpRedirect stands over all of its nodes: a kstatus verdict. Pure; called by `rollup`.

The first row that fits decides, worst first. Nodes that do not answer, and those without such an
interface, are named but hold nothing up.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from xdpredirect.conditions import Truth, Verdict, shorten
from xdpredirect.controller.observed import Redirect
from xdpredirect.controller.standing import Part, Standing
from xdpredirect.controller.tally import FAILING, Tally

_QUOTED = 384
_NAMED = 5


def verdict(redirect: Redirect, tally: Tally, holding: Sequence[str]) -> Verdict:
    """`holding` are the nodes that keep an object that is being deleted."""
    if redirect.problems:
        words = f"this version of the operator cannot read it: {'; '.join(redirect.problems)}"
        return _failed("UnreadableSpec", words, stalled=True)
    if redirect.deleting:
        return _under_way("Deleting", f"{_count(len(holding))} still to detach: {_some(holding)}")
    if not tally.parts:
        words = "nodeSelector matches none of the nodes; correct it, or label a node"
        return _at_risk(_done("NothingSelected", words), "NothingSelected", words)
    return _with_risks(_judged(redirect, tally), tally)


def _judged(redirect: Redirect, tally: Tally) -> Verdict:
    standing, selected = tally.standing, len(tally.parts)
    waiting = standing[Standing.WAITING]
    if standing[Standing.TOO_LARGE]:
        names = tally.nodes(Standing.TOO_LARGE)
        words = (
            f"XdpRedirectNode of {_count(len(names))} has no room for this object: {_some(names)}; "
            "let fewer or smaller objects select them"
        )
        return _failed("NodeObjectTooLarge", words, stalled=True)
    failing = tally.nodes(*FAILING)
    if failing:
        reason, words = _most(((name, tally.parts[name]) for name in failing), selected)
        retried = bool(waiting or standing[Standing.RETRIED])
        return _failed(reason, words, stalled=not retried)
    if waiting:
        words = (
            f"generation {redirect.generation}: {tally.updated} of {_count(selected)} acted on it"
        )
        return _under_way("Progressing", words)
    if standing[Standing.SILENT] == selected:
        return _under_way("NodeUnreachable", f"none of {_count(selected)} answers")
    return _finished(redirect, tally)


def _finished(redirect: Redirect, tally: Tally) -> Verdict:
    standing = tally.standing
    ready = _count(standing[Standing.READY])
    if redirect.state == "Detached":
        return _done("Detached", "nothing is attached, as state: Detached asks")
    if not standing[Standing.READY]:
        words = "no interface of the selected nodes matches spec.interfaces"
        return _at_risk(_done("NoInterface", words), "NoInterface", words)
    if redirect.state == "Paused":
        return _done("Paused", f"changes wait; the datapath of {ready} stays as it is")
    interfaces = tally.native + tally.generic
    words = f"running on {interfaces} interface{'' if interfaces == 1 else 's'} of {ready}"
    without = standing[Standing.WITHOUT_INTERFACE]
    if without:
        words += f"; {_count(without)} without such an interface"
    return _done("Redirecting", words)


def _with_risks(found: Verdict, tally: Tally) -> Verdict:
    """Frames at risk come first, then a failure, then nodes that do not answer."""
    if found.degraded:
        return found
    if tally.risks:
        risks = (
            (name, Part(Standing.READY, r.risk, r.risk_message))
            for name, r in sorted(tally.risks.items())
        )
        reason, words = _most(risks, len(tally.parts))
        return _at_risk(found, reason, words)
    if found.ready is Truth.FALSE:
        return _at_risk(found, found.reason, found.message)
    if tally.standing[Standing.SILENT]:
        names = tally.nodes(Standing.SILENT)
        words = f"{_count(len(names))} not answering: {_some(names)}; look at their agents' pods"
        return _at_risk(found, "NodeUnreachable", words)
    return found


def _most(parts: Iterable[tuple[str, Part]], selected: int) -> tuple[str, str]:
    """The most frequent reason, and the words of the first node that gives it."""
    listed = list(parts)
    counts = Counter(part.reason for _, part in listed)
    reason = min(counts, key=lambda name: (-counts[name], name))
    node, part = next(item for item in listed if item[1].reason == reason)
    words = f"{len(listed)} of {_count(selected)}; {node}: {shorten(part.message, _QUOTED)}"
    return reason, words


def _count(nodes: int) -> str:
    return "1 node" if nodes == 1 else f"{nodes} nodes"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _done(reason: str, message: str) -> Verdict:
    return Verdict(ready=Truth.TRUE, reason=reason, message=message)


def _under_way(reason: str, message: str) -> Verdict:
    return Verdict(ready=Truth.UNKNOWN, reason=reason, message=message, progressing=True)


def _failed(reason: str, message: str, stalled: bool) -> Verdict:
    """A failure that is tried again, or that others still work beside, is also progressing."""
    return Verdict(
        ready=Truth.FALSE,
        reason=reason,
        message=message,
        progressing=not stalled,
        stalled=stalled,
    )


def _at_risk(found: Verdict, reason: str, message: str) -> Verdict:
    return replace(found, degraded=reason, degraded_message=message)
