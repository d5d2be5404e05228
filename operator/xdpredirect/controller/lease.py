"""Who of several operators acts: decisions about one Lease of coordination.k8s.io. Pure.

Called by `election`. Times in a lease come from other machines' clocks and decide nothing: a lease
is outdated when this process has watched it unchanged for its whole duration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum

from xdpredirect.controller.plain import child, number, text

Document = dict[str, object]
MEMORY = "xdpredirect.io/nodes"
"""Annotation with what the next leader has to know."""
LEASE = "xdp-redirect-operator"
"""Its name, in the operators' namespace."""
DURATION = 15
"""Seconds after which others take an unchanged lease."""
GIVE_UP = 10.0
"""Seconds without a renewal after which the holder stops to act, before others begin."""
PATIENCE = 2.5
"""Seconds for one answer of the API server: a dead connection must not cost the lease."""
RETRY = 2.0
"""Seconds between two looks of those who wait, and after a failed renewal."""
RENEW = 4.0
"""Seconds between two renewals."""


class Move(Enum):
    """What to do about the lease now."""

    CREATE = "create it"
    TAKE = "take it"
    RENEW = "renew it"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Seen:
    """A lease as it was first seen in this state: `version` at `since`, in monotonic seconds.
    `memory` is what its holder wrote down."""

    holder: str = ""
    version: str = ""
    duration: int = DURATION
    transitions: int = 0
    since: float = 0.0
    memory: str = ""


def look(lease: Mapping[str, object] | None, before: Seen | None, now: float) -> Seen | None:
    """What is seen now; None while there is no lease."""
    if lease is None:
        return None
    spec, metadata = child(lease, "spec"), child(lease, "metadata")
    seen = Seen(
        holder=text(spec, "holderIdentity"),
        version=text(metadata, "resourceVersion"),
        duration=number(spec, "leaseDurationSeconds") or DURATION,
        transitions=number(spec, "leaseTransitions"),
        since=now,
        memory=text(child(metadata, "annotations"), MEMORY),
    )
    if before is not None and before.version == seen.version:
        return replace(seen, since=before.since)
    return seen


def decide(seen: Seen | None, identity: str, now: float) -> Move:
    """The move of the process called `identity`."""
    if seen is None:
        return Move.CREATE
    if seen.holder == identity:
        return Move.RENEW
    if not seen.holder or now - seen.since >= seen.duration:
        return Move.TAKE
    return Move.WAIT


def wanted(name: str, identity: str, seen: Seen | None, wall: float, memory: str = "") -> Document:
    """The lease as `identity` holds it; "" gives it back. `wall` is in seconds since 1970. On top
    of what was seen: who was faster has changed the version."""
    stamp = datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    transitions = 0
    metadata: Document = {"name": name}
    if seen is not None:
        transitions = seen.transitions + (seen.holder != identity and bool(identity))
        metadata["resourceVersion"] = seen.version
    if memory:
        metadata["annotations"] = {MEMORY: memory}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": identity,
            # A lease that was given back is anybody's after a second.
            "leaseDurationSeconds": DURATION if identity else 1,
            "renewTime": stamp,
            "leaseTransitions": transitions,
        },
    }
