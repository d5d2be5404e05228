"""How one XdpRedirect stands on this node, as one of `.status.redirects`. Pure.

Called by `agent.node_status`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from xdpredirect.agent.outcome import Lingering
from xdpredirect.agent.report import InterfaceReport, Loss, ObjectReport, Severity, SocketReport
from xdpredirect.agent.status import COUNT_LIMIT, TOP_LOSSES, traffic
from xdpredirect.agent.verdict import verdict
from xdpredirect.conditions import Verdict, shorten
from xdpredirect.host import XdpMode

Document = dict[str, object]
MESSAGE_LIMIT, HINT_LIMIT, ERROR_LIMIT = 512, 256, 256
INTERFACES_LIMIT, RULES_LIMIT, SOCKETS_LIMIT = 64, 128, 64
_UNKNOWN_UID = "unknown"
_AWAY = "InterfaceAway: it was moved to another network namespace, where its program goes on to run"
_BY_REASON = {
    "Redirecting": "Active",
    "NoInterface": "NoInterface",
    "Paused": "Paused",
    "Detached": "Detached",
    "ApplyFailed": "Failed",
    "Progressing": "Pending",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`value` is what stands in the status; the rest of it sums up to the node's conditions."""

    name: str
    state: str
    reason: str
    message: str
    value: Document
    risk: str = ""
    risk_message: str = ""


def entry_of(
    found: ObjectReport, interfaces: Iterable[InterfaceReport], uid: str, reading_sets: bool
) -> Entry:
    """`interfaces` are all of the machine. With `reading_sets`, a set that is missing may only be
    on its way."""
    here = [item for item in interfaces if found.name in item.objects]
    outcome = verdict(found, here)
    state, reason, message = _state(found, outcome, reading_sets)
    value: Document = {
        "name": found.name,
        "uid": uid or _UNKNOWN_UID,
        "observedGeneration": found.generation,
        "appliedGeneration": found.applied_generation,
        "state": state,
        "reason": reason,
        "message": shorten(message, MESSAGE_LIMIT),
        "interfaceCounts": _counts(found, here),
        "interfaces": _interfaces(found, here),
        "rules": _rules(found, here),
        "traffic": traffic(found, here),
        "losses": [_loss(loss) for loss in found.losses[:TOP_LOSSES]],
    }
    if found.sockets:
        value["sockets"] = [_socket(one) for one in found.sockets[:SOCKETS_LIMIT]]
    if outcome.degraded:
        words = shorten(outcome.degraded_message, MESSAGE_LIMIT)
        value["degraded"] = {"reason": outcome.degraded, "message": words}
    return Entry(
        name=found.name,
        state=state,
        reason=reason,
        message=message,
        value=value,
        risk=outcome.degraded,
        risk_message=outcome.degraded_message,
    )


def leftover(item: Lingering, errors: Mapping[str, str]) -> Entry:
    """An object that is gone from the spec and still runs; `errors` are by interface."""
    failed = [f"{name}: {errors[name]}" for name in item.interfaces if name in errors]
    words = f"is to be detached from {', '.join(item.interfaces)}"
    state, reason = ("Failed", "DetachFailed") if failed else ("Pending", "Detaching")
    message = "; ".join([words, *failed])
    value: Document = {
        "name": item.name,
        "uid": item.uid or _UNKNOWN_UID,
        "observedGeneration": item.generation,
        "appliedGeneration": item.generation,
        "state": state,
        "reason": reason,
        "message": shorten(message, MESSAGE_LIMIT),
    }
    return Entry(name=item.name, state=state, reason=reason, message=message, value=value)


def _state(found: ObjectReport, outcome: Verdict, reading_sets: bool) -> tuple[str, str, str]:
    """State, reason and message."""
    if reading_sets and outcome.stalled and outcome.reason == "AddressSetMissing":
        return "Pending", "ReadingAddressSets", "the API server has not sent its address sets yet"
    if outcome.stalled:
        return _stuck(found), outcome.reason, outcome.message
    return _BY_REASON.get(outcome.reason, "Pending"), outcome.reason, outcome.message


def _stuck(found: ObjectReport) -> str:
    """Whether it is another object that stands in the way of what the verdict names."""
    cause = next((f for f in found.findings if f.severity is Severity.STALLED), None)
    by_another = cause is None or cause.interface in found.conflicted
    return "Conflicted" if found.conflicted and by_another else "Stalled"


def _counts(found: ObjectReport, here: Sequence[InterfaceReport]) -> Document:
    carried = [item for item in here if item.name in found.interfaces]
    return {
        "native": sum(item.mode is XdpMode.NATIVE for item in carried),
        "generic": sum(item.mode is XdpMode.GENERIC for item in carried),
        "conflicted": len(found.conflicted),
        "failed": len(found.failed),
    }


def _interfaces(found: ObjectReport, here: Sequence[InterfaceReport]) -> list[Document]:
    known = {item.name: item for item in here}
    states = dict.fromkeys(found.interfaces, "Attached")
    states |= dict.fromkeys(found.failed, "Failed")
    states |= dict.fromkeys(found.conflicted, "Conflicted")
    listed = []
    for name in sorted(states)[:INTERFACES_LIMIT]:
        value: Document = {"name": name, "state": states[name]}
        item = known.get(name)
        if item is not None and item.mode in (XdpMode.NATIVE, XdpMode.GENERIC):
            value |= {"mode": item.mode.value, "frags": item.frags}
        if item is not None and (words := item.error or (_AWAY if item.away else "")):
            value["message"] = shorten(words, ERROR_LIMIT)
        listed.append(value)
    return listed


def _rules(found: ObjectReport, here: Sequence[InterfaceReport]) -> list[Document]:
    """Sums over interfaces, in the order of the rules."""
    packets: dict[str, int] = {}
    missed: dict[str, int] = {}
    for rule in (rule for item in here for rule in item.rules if rule.object == found.name):
        packets[rule.rule] = packets.get(rule.rule, 0) + rule.counters.packets
        missed[rule.rule] = missed.get(rule.rule, 0) + rule.counters.misses
    lost = dict.fromkeys(packets, 0)
    for loss in found.losses:
        if loss.rule in lost:
            lost[loss.rule] += loss.packets
    return [
        {
            "name": name,
            "packets": min(packets[name], COUNT_LIMIT),
            "missedPackets": min(missed[name], COUNT_LIMIT),
            "lostPackets": min(lost[name], COUNT_LIMIT),
        }
        for name in list(packets)[:RULES_LIMIT]
    ]


def _socket(one: SocketReport) -> Document:
    return {
        "rule": one.rule[:63],
        "interface": one.interface[:15],
        "queue": one.queue,
        "state": one.state.value,
        "mode": one.mode.value,
        "pid": one.pid,
        "user": one.user,
        "pod": one.pod[:36],
        "ringFullPackets": min(one.ring_full, COUNT_LIMIT),
        "fillRingEmpty": min(one.fill_ring_empty, COUNT_LIMIT),
        "droppedPackets": min(one.dropped, COUNT_LIMIT),
    }


def _loss(loss: Loss) -> Document:
    return {
        "reason": loss.reason[:64],
        "errno": loss.errno[:16],
        "rule": loss.rule[:63],
        "interface": loss.interface[:15],
        "target": loss.target[:127],
        "packets": min(loss.packets, COUNT_LIMIT),
        "hint": shorten(loss.hint, HINT_LIMIT),
    }
