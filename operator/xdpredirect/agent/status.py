"""A Report as JSON and as the `.status` of each object. Pure.

Called by `agent.store` (status.json, read by a waiting `apply`), by `xdpredirect status` and by
whoever writes the status of objects.
"""

from collections.abc import Iterable, Mapping

from xdpredirect import conditions as kstatus
from xdpredirect.agent.plain import from_plain, to_plain
from xdpredirect.agent.report import InterfaceReport, Loss, ObjectReport, Report
from xdpredirect.agent.verdict import verdict
from xdpredirect.conditions import Condition, Truth
from xdpredirect.host import XdpMode
from xdpredirect.reasons import HINT_LIMIT

# Counters beyond it lose digits in JavaScript and are refused by the schema.
COUNT_LIMIT = 2**53 - 1
TOP_LOSSES = 10


def object_status(
    found: ObjectReport,
    interfaces: Iterable[InterfaceReport],
    previous: Iterable[Condition],
    now: str,
) -> dict[str, object]:
    """The `.status` of one object as one machine sees it; nodes are counted 0 or 1.

    `interfaces` are all of the machine, `previous` the conditions reported last, `now` the time
    as RFC 3339.
    """
    here = [item for item in interfaces if found.name in item.objects]
    outcome = verdict(found, here)
    made = kstatus.conditions(outcome, found.generation, previous, now)
    carried = [item for item in here if item.name in found.interfaces]
    bare = not (found.interfaces or found.conflicted or found.failed)
    return {
        "observedGeneration": found.generation,
        "conditions": [kstatus.to_dict(condition) for condition in made],
        "nodes": {
            "selected": int(found.selected),
            "updated": int(found.selected and found.applied_generation == found.generation),
            "ready": int(found.selected and outcome.ready is Truth.TRUE),
            "failed": int(found.selected and outcome.ready is Truth.FALSE),
            "withoutInterface": int(found.selected and found.state != "Detached" and bare),
        },
        "interfaces": {
            "native": sum(item.mode is XdpMode.NATIVE for item in carried),
            "generic": sum(item.mode is XdpMode.GENERIC for item in carried),
            "conflicted": len(found.conflicted),
        },
        "traffic": traffic(found, here),
        "losses": [_loss(loss) for loss in found.losses[:TOP_LOSSES]],
    }


def _loss(loss: Loss) -> dict[str, object]:
    """One of `.status.losses`; what the schema bounds is within its bounds."""
    return {
        "reason": loss.reason,
        "errno": loss.errno,
        "rule": loss.rule,
        "packets": min(loss.packets, COUNT_LIMIT),
        "hint": loss.hint[:HINT_LIMIT],
    }


def traffic(found: ObjectReport, interfaces: Iterable[InterfaceReport]) -> dict[str, int]:
    """Frames that the rules of one object redirected, passed, dropped and lost, over `interfaces`.

    TX counts as redirected. A frame without an entry in the map is none of the three: its rule's
    onMiss decided about it, and `misses` of the rule counts it. Lost are those redirected frames
    that did not arrive, and those that onMiss had to drop.
    """
    sums = {"redirectedPackets": 0, "passedPackets": 0, "droppedPackets": 0}
    for rule in (rule for item in interfaces for rule in item.rules if rule.object == found.name):
        counters = rule.counters
        if rule.action == "Pass":
            sums["passedPackets"] += counters.packets
        elif rule.action == "Drop":
            sums["droppedPackets"] += counters.packets
        else:
            sums["redirectedPackets"] += max(
                0, counters.packets - counters.misses - counters.errors
            )
    sums["lostPackets"] = sum(loss.packets for loss in found.losses)
    return {key: min(value, COUNT_LIMIT) for key, value in sums.items()}


def snapshot(report: Report, previous: Mapping[str, object], now: str) -> dict[str, object]:
    """What status.json holds: the time, the report, and the `.status` of every object by name.

    `previous` is the snapshot before this one, or empty: transition times are taken from it.
    """
    statuses: dict[str, object] = {}
    for found in report.objects:
        before = known_conditions(previous, found.name)
        statuses[found.name] = object_status(found, report.interfaces, before, now)
    return {"time": now, "report": report_to_dict(report), "statuses": statuses}


def known_conditions(previous: Mapping[str, object], name: str) -> tuple[Condition, ...]:
    """The conditions of object `name` in a snapshot; none where they are absent or unreadable."""
    statuses = previous.get("statuses")
    status = statuses.get(name) if isinstance(statuses, Mapping) else None
    listed = status.get("conditions") if isinstance(status, Mapping) else None
    try:
        return tuple(kstatus.from_dict(item) for item in listed or ())
    except (KeyError, TypeError, ValueError, AttributeError):
        # Written by another version: transition times start again, nothing else depends on it.
        return ()


def report_to_dict(report: Report) -> dict[str, object]:
    """The report as JSON-safe values with camelCase keys."""
    value = to_plain(report)
    assert isinstance(value, dict)
    return value


def report_from_dict(value: object) -> Report:
    """The reverse of `report_to_dict`. Raises ValueError naming the path that does not fit."""
    report = from_plain(Report, value, "report")
    assert isinstance(report, Report)
    return report
