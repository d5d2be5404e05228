"""The `.status` of one XdpRedirect out of what its nodes say. Pure; called by `plan`.

It never depends on anything but its arguments: the same fleet gives the same status, so a quiet
fleet writes nothing.
"""

from collections.abc import Mapping, Sequence

from xdpredirect import conditions as kstatus
from xdpredirect.api.node_size import stored_size
from xdpredirect.conditions import Condition, shorten
from xdpredirect.controller.counted import Cause
from xdpredirect.controller.observed import Redirect
from xdpredirect.controller.standing import Standing
from xdpredirect.controller.tally import FAILING, Lost, Tally
from xdpredirect.controller.verdict import verdict

COUNT_LIMIT = 2**53 - 1
SIZE_LIMIT = 16 * 1024
TOP = 10
_WORDS = 256
_ROOM = (kstatus.MESSAGE_LIMIT, 512, 256, 128, 64)
"""Lengths that messages are cut to until a status fits."""


def roll_up(
    redirect: Redirect, tally: Tally, holding: Sequence[str], now: str
) -> dict[str, object]:
    """The status; `redirect.status` is the one before it. `holding` are the nodes that keep an
    object that is being deleted, `now` the time as it goes into a transition, as RFC 3339."""
    judged = verdict(redirect, tally, holding)
    made = kstatus.conditions(judged, redirect.generation, _before(redirect.status), now)
    status: dict[str, object] = {
        "observedGeneration": redirect.generation,
        "conditions": [kstatus.to_dict(condition) for condition in made],
        "nodes": _nodes(tally),
        "interfaces": {
            "native": tally.native,
            "generic": tally.generic,
            "conflicted": tally.conflicted,
        },
        "traffic": {
            "redirectedPackets": min(tally.redirected, COUNT_LIMIT),
            "passedPackets": min(tally.passed, COUNT_LIMIT),
            "droppedPackets": min(tally.dropped, COUNT_LIMIT),
            "lostPackets": min(tally.lost, COUNT_LIMIT),
        },
        "losses": _losses(tally.losses),
        "failingNodes": _failing(tally),
    }
    return _fitted(status)


def _nodes(tally: Tally) -> dict[str, int]:
    standing = tally.standing
    return {
        "selected": len(tally.parts),
        "updated": tally.updated,
        "ready": standing[Standing.READY],
        "failed": sum(standing[kind] for kind in (*FAILING, Standing.TOO_LARGE)),
        "unreachable": standing[Standing.SILENT],
        "withoutInterface": standing[Standing.WITHOUT_INTERFACE],
    }


def _losses(losses: Mapping[Cause, Lost]) -> list[dict[str, object]]:
    """The causes that cost most, equal ones by name."""
    top = sorted(losses.items(), key=lambda item: (-item[1].packets, item[0]))[:TOP]
    return [
        {
            "reason": cause.reason,
            "errno": cause.errno,
            "rule": cause.rule,
            "packets": min(lost.packets, COUNT_LIMIT),
            "nodes": lost.nodes,
            "hint": _hint(lost),
        }
        for cause, lost in top
    ]


def _hint(lost: Lost) -> str:
    """What most nodes say."""
    words, _ = max(lost.hints.items(), key=lambda item: (item[1], item[0]))
    return words


def _failing(tally: Tally) -> list[dict[str, object]]:
    """Nodes that fail, by name, then those that do not answer."""
    names = tally.nodes(*FAILING)[:TOP]
    listed: list[dict[str, object]] = [
        {
            "name": name,
            "reason": tally.parts[name].reason,
            "message": shorten(tally.parts[name].message, _WORDS),
        }
        for name in names
    ]
    for standing, reason, message in (
        (Standing.TOO_LARGE, "NodeObjectTooLarge", "the objects before this one take all the room"),
        (Standing.SILENT, "NodeUnreachable", "the agent does not answer; look at its pod"),
    ):
        names = tally.nodes(standing)[: TOP - len(listed)]
        listed += [{"name": name, "reason": reason, "message": message} for name in names]
    return listed


def _before(status: Mapping[str, object]) -> tuple[Condition, ...]:
    """The conditions that were reported last; none where another version wrote them otherwise."""
    listed = status.get("conditions")
    try:
        return tuple(kstatus.from_dict(item) for item in listed) if isinstance(listed, list) else ()
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def _fitted(status: dict[str, object]) -> dict[str, object]:
    """The status within SIZE_LIMIT octets, messages shortened as far as that takes."""
    for room in _ROOM:
        if stored_size(status) <= SIZE_LIMIT:
            break
        status = {name: _shortened(value, room) for name, value in status.items()}
    return status


def _shortened(value: object, room: int) -> object:
    if not isinstance(value, list):
        return value
    return [
        {k: shorten(v, room) if k in ("message", "hint") else v for k, v in item.items()}
        for item in value
    ]
