"""Conditions of an object by kstatus' rules: Ready, Reconciling, Stalled and Degraded. Pure.

Called by `agent.status`. Whoever waits for an object (kubectl wait, helm --wait, GitOps tools)
reads exactly these: Reconciling says that something is still under way, Stalled that it will not
get better without a change, Ready that the object does what it says. Degraded is ours: it works,
but frames are at risk.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

TYPES = ("Ready", "Reconciling", "Stalled", "Degraded")
MESSAGE_LIMIT = 1024


class Truth(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition as it is reported. `last_transition_time` is RFC 3339 in UTC, to the second,
    and moves only when `status` does."""

    type: str
    status: Truth
    reason: str
    message: str
    observed_generation: int
    last_transition_time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an object is found to be. `progressing` and `stalled` exclude each other, and neither
    goes with a true `ready`; `degraded` is the reason of Degraded, empty when nothing is at risk.
    """

    ready: Truth
    reason: str
    message: str
    progressing: bool = False
    stalled: bool = False
    degraded: str = ""
    degraded_message: str = ""


def conditions(
    verdict: Verdict, generation: int, previous: Iterable[Condition], now: str
) -> tuple[Condition, ...]:
    """All four conditions in a fixed order.

    `previous` is what was reported last; `now` is the time as it goes into a transition.
    """
    before = {condition.type: condition for condition in previous}
    made = []
    for kind, (status, reason, message) in _table(verdict).items():
        old = before.get(kind)
        since = old.last_transition_time if old is not None and old.status == status else now
        made.append(
            Condition(
                type=kind,
                status=status,
                reason=reason,
                message=shorten(message),
                observed_generation=generation,
                last_transition_time=since,
            )
        )
    return tuple(made)


def _table(verdict: Verdict) -> Mapping[str, tuple[Truth, str, str]]:
    reason, message = verdict.reason, verdict.message
    return {
        "Ready": (verdict.ready, reason, message),
        "Reconciling": _flag(verdict.progressing, reason, message, "UpToDate"),
        "Stalled": _flag(verdict.stalled, reason, message, "NotStalled"),
        "Degraded": _flag(
            bool(verdict.degraded), verdict.degraded, verdict.degraded_message, "NothingAtRisk"
        ),
    }


def _flag(holds: bool, reason: str, message: str, otherwise: str) -> tuple[Truth, str, str]:
    return (Truth.TRUE, reason, message) if holds else (Truth.FALSE, otherwise, "")


def shorten(message: str, limit: int = MESSAGE_LIMIT) -> str:
    """The message within the schema's limit, cut at a word, with an ellipsis where it was cut."""
    if len(message) <= limit:
        return message
    head = message[: limit - 2]
    return (head.rsplit(" ", 1)[0] if " " in head else head) + " …"


def to_dict(condition: Condition) -> dict[str, str | int]:
    """The condition as it stands in `.status.conditions`."""
    return {
        "type": condition.type,
        "status": condition.status.value,
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": condition.observed_generation,
        "lastTransitionTime": condition.last_transition_time,
    }


def from_dict(value: Mapping[str, object]) -> Condition:
    """The reverse of `to_dict`. Raises KeyError or ValueError when it is not a condition."""
    return Condition(
        type=str(value["type"]),
        status=Truth(str(value["status"])),
        reason=str(value["reason"]),
        message=str(value["message"]),
        observed_generation=int(str(value.get("observedGeneration", 0))),
        last_transition_time=str(value["lastTransitionTime"]),
    )
