"""When the status of a node is written. Pure; called by `agent.reporter`.

A change of state goes out at once, collected for a moment; counters wait for their turn, so that a
thousand nodes with traffic write no more than a few dozen times a second; what is equal to what the
server holds is not written at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

Status = Mapping[str, object]

COLLECT_SECONDS = 0.3
"""A state that changed may change again in the same pass or the next."""
COUNTERS_SECONDS = 30.0
BURST = 10
REFILL_SECONDS = 10.0
"""Ten state changes may follow each other closely, then one goes out every ten seconds: a cause
that comes and goes must not become a stream of writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is known of the writes so far; times are monotonic seconds. `held` is the status that
    the server holds, None when nothing is known of it. `counted_at` is when counters went out
    last, `changed_at` when the state began to differ. `credit` is what is left of BURST at
    `credit_at`. Nothing is written before `not_before`. `jitter` is in [0, 1)."""

    held: Status | None = None
    counted_at: float = 0.0
    changed_at: float | None = None
    credit: float = BURST
    credit_at: float = 0.0
    not_before: float = 0.0
    jitter: float = 0.0


def due(ledger: Ledger, wanted: Status, every: float = COUNTERS_SECONDS) -> float | None:
    """The time from which on `wanted` is to be written; None while there is nothing to write.

    `ledger` is one that has `noticed` the wanted status; counters go out `every` so many seconds.
    """
    if ledger.held == wanted:
        return None
    if ledger.changed_at is None:
        turn = ledger.counted_at + every * (1 + ledger.jitter / 5)
        return max(turn, ledger.not_before)
    missing = max(0.0, 1 - ledger.credit)
    affordable = ledger.credit_at + missing * REFILL_SECONDS
    return max(ledger.changed_at + COLLECT_SECONDS, affordable, ledger.not_before)


def noticed(ledger: Ledger, wanted: Status, now: float) -> Ledger:
    """Take note of whether the state, not only counters, differs from what the server holds."""
    if state_of(ledger.held or {}) == state_of(wanted):
        return replace(ledger, changed_at=None)
    if ledger.changed_at is None:
        return replace(ledger, changed_at=now)
    return ledger


def written(ledger: Ledger, sent: Status, now: float, jitter: float) -> Ledger:
    """`sent` went out at `now`."""
    credit = min(float(BURST), ledger.credit + (now - ledger.credit_at) / REFILL_SECONDS)
    spent = credit - (1 if ledger.changed_at is not None else 0)
    return replace(
        ledger,
        held=sent,
        counted_at=now,
        changed_at=None,
        credit=max(0.0, spent),
        credit_at=now,
        not_before=0.0,
        jitter=jitter,
    )


def failed(ledger: Ledger, now: float, delay: float) -> Ledger:
    """A write did not succeed; try again after `delay` seconds."""
    return replace(ledger, not_before=now + delay)


def found(ledger: Ledger, held: Status | None) -> Ledger:
    """The server was seen to hold `held`: somebody else wrote, or a new object took its place."""
    return replace(ledger, held=held)


def state_of(status: Status) -> object:
    """`status` without what merely counts: packets, and words with rates in them; and without who
    holds a socket, which a client that fails again and again changes all the time."""
    return {
        **{
            name: value for name, value in status.items() if name not in ("conditions", "redirects")
        },
        "conditions": [_condition(item) for item in _objects(status.get("conditions"))],
        "redirects": [_redirect(item) for item in _objects(status.get("redirects"))],
    }


def _condition(item: Status) -> object:
    # The words of Degraded tell frames a second.
    words = "" if item.get("type") == "Degraded" else item.get("message")
    return {**item, "message": words, "lastTransitionTime": ""}


def _redirect(item: Status) -> object:
    degraded = item.get("degraded")
    reason = degraded.get("reason") if isinstance(degraded, Mapping) else ""
    counting = ("rules", "sockets", "traffic", "losses", "degraded")
    kept = {name: value for name, value in item.items() if name not in counting}
    rules = [rule.get("name") for rule in _objects(item.get("rules"))]
    causes = sorted({str(loss.get("reason")) for loss in _objects(item.get("losses"))})
    sockets = [
        [socket.get(name) for name in ("rule", "interface", "queue", "state")]
        for socket in _objects(item.get("sockets"))
    ]
    return {**kept, "degraded": reason, "rules": rules, "losses": causes, "sockets": sockets}


def _objects(value: object) -> Iterator[Status]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield cast(Status, item)
