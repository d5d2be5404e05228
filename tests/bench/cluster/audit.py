"""Who wrote what and when, from the API server's own audit log, which holds every write.

Called by the benchmarks of the cluster: nothing else has to be asked while they run.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

GROUP = "xdpredirect.io"
OPERATOR, AGENT = "xdpredirect-operator", "xdpredirect-agent"


@dataclass(frozen=True, slots=True)
class Write:
    """`at` is when the API server received it, in seconds since 1970; `by` the name of the
    program, `resource` its group and plural, `code` the answer."""

    at: float
    by: str
    verb: str
    resource: str
    name: str
    code: int


def writes(log: Path, since: float, until: float = float("inf")) -> list[Write]:
    """All of them in [since, until), in order of their arrival."""
    with log.open() as lines:
        found = (_write(json.loads(line)) for line in lines if line.endswith("\n"))
        kept = [write for write in found if since <= write.at < until]
    return sorted(kept, key=lambda write: write.at)


def ours(found: Iterable[Write]) -> list[Write]:
    """Those of the operator and of agents that are about more than the operator's lease."""
    return [w for w in found if w.by in (OPERATOR, AGENT) and "leases" not in w.resource]


def peak(found: Sequence[Write], window: float = 1.0) -> float:
    """The most writes a second, over any `window` seconds."""
    most, first = 0, 0
    for last, write in enumerate(found):
        while write.at - found[first].at >= window:
            first += 1
        most = max(most, last - first + 1)
    return most / window


def _write(event: dict[str, object]) -> Write:
    target = event.get("objectRef")
    code = event.get("responseStatus")
    target = target if isinstance(target, dict) else {}
    code = code if isinstance(code, dict) else {}
    parts = (target.get("apiGroup"), target.get("resource"), target.get("subresource"))
    received = str(event["requestReceivedTimestamp"]).replace("Z", "+00:00")
    return Write(
        at=datetime.fromisoformat(received).timestamp(),
        by=str(event.get("userAgent", "")).split("/")[0],
        verb=str(event.get("verb")),
        resource="/".join(str(part) for part in parts if part),
        name=str(target.get("name", "")),
        code=int(code.get("code", 0)),
    )
