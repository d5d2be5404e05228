"""Writes are read from the audit log as the API server writes it."""

import json
from pathlib import Path

from tests.bench.cluster.audit import Write, ours, peak, writes


def line(second: float, agent: str, resource: str, subresource: str = "") -> str:
    """As kube-apiserver 1.37 writes it, without what nobody reads."""
    target = {"resource": resource, "name": "n", "apiGroup": "xdpredirect.io"}
    event = {
        "verb": "patch",
        "userAgent": agent,
        "objectRef": target | ({"subresource": subresource} if subresource else {}),
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": f"2026-11-23T03:00:{second:09.6f}Z",
    }
    return json.dumps(event) + "\n"


def at(second: float) -> Write:
    return Write(at=second, by="xdpredirect-agent", verb="patch", resource="r", name="n", code=200)


def test_writes_of_a_time_in_order(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(
        line(3, "xdpredirect-agent/bench", "xdpredirectnodes", "status")
        + line(2.25, "xdpredirect-operator/1", "xdpredirects")
        + line(1, "kubectl/v1.37.2 (linux/amd64)", "xdpredirects")
        + '{"half'
    )
    base = 1795402800.0
    found = writes(log, base + 2)
    assert [(w.by, w.resource, w.at - base) for w in found] == [
        ("xdpredirect-operator", "xdpredirect.io/xdpredirects", 2.25),
        ("xdpredirect-agent", "xdpredirect.io/xdpredirectnodes/status", 3.0),
    ]
    assert writes(log, base, base + 2)[0].by == "kubectl"


def test_leases_and_people_are_not_counted() -> None:
    made = [
        Write(1.0, "xdpredirect-operator", "update", "coordination.k8s.io/leases", "l", 200),
        Write(1.0, "kubectl", "patch", "xdpredirect.io/xdpredirects", "x", 200),
        Write(1.0, "xdpredirect-operator", "create", "events.k8s.io/events", "e", 201),
    ]
    assert ours(made) == made[2:]


def test_peak_is_over_any_second() -> None:
    assert peak([at(0.0), at(0.9), at(1.1), at(1.8), at(5.0)]) == 3.0
    assert peak([]) == 0.0
