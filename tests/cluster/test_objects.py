"""XdpRedirects on a real API server: server-side apply, defaults, columns, messages."""

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.objects import (
    APPLY,
    MERGE,
    OPERATOR,
    PERSON,
    REDIRECTS,
    applied,
    managers,
    of_kind,
    redirect,
    version,
)
from tests.cluster.wire import Answer, Wire
from xdpredirect.cluster.api import Api
from xdpredirect.cluster.resource import REDIRECTS as RESOURCE


@pytest.fixture
def edge(wire: Wire) -> Iterator[None]:
    """Removes it again."""
    yield
    wire.request("PATCH", f"{REDIRECTS}/edge", {"metadata": {"finalizers": None}}, MERGE)
    assert wire.request("DELETE", f"{REDIRECTS}/edge").status in (200, 404)


pytestmark = pytest.mark.usefixtures("edge")


def test_nothing_is_green_before_it_was_seen(cluster: Cluster, wire: Wire) -> None:
    answer = wire.create("xdpredirects", redirect())
    assert answer.body["status"] == {"observedGeneration": -1}
    waited = cluster.try_kubectl(["wait", "xdpr/edge", "--for=condition=Ready", "--timeout=1s"])
    assert waited.returncode != 0


def test_ready_is_what_kubectl_waits_for(cluster: Cluster, wire: Wire) -> None:
    assert applied(wire, f"{REDIRECTS}/edge", redirect(), PERSON).status == 201
    assert report(wire, "True").status == 200
    waited = cluster.kubectl("wait", "xdpr/edge", "--for=condition=Ready", "--timeout=180s")
    assert "condition met" in waited
    # A newer generation is not ready because an older one was.
    assert applied(wire, f"{REDIRECTS}/edge", redirect(priority=7), PERSON).status == 200
    waiting = cluster.try_kubectl(["wait", "xdpr/edge", "--for=condition=Ready", "--timeout=1s"])
    assert waiting.returncode != 0


def report(wire: Wire, ready: str) -> Answer:
    """The operator's status of generation 1."""
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": "Redirecting",
        "message": "on 3 of 3 nodes",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    status = {
        "observedGeneration": 1,
        "conditions": [condition, {**condition, "type": "Degraded", "status": "False"}],
        "nodes": {"selected": 4, "updated": 3, "ready": 2, "failed": 1},
        "traffic": {"redirectedPackets": 2**53 - 1, "lostPackets": 12},
    }
    return applied(wire, f"{REDIRECTS}/edge/status", of_kind("XdpRedirect", "edge", status=status),
                   OPERATOR)  # fmt: skip


def test_columns_say_whether_it_works(cluster: Cluster, wire: Wire) -> None:
    assert applied(wire, f"{REDIRECTS}/edge", redirect(), PERSON).status == 201
    assert report(wire, "True").status == 200
    titles, row = cluster.kubectl("get", "xdpr").splitlines()
    assert titles.split()[:8] == [
        "NAME",
        "READY",
        "REASON",
        "DEGRADED",
        "NODES",
        "WORKING",
        "FAILED",
        "LOST",
    ]
    assert row.split()[:8] == ["edge", "True", "Redirecting", "False", "4", "2", "1", "12"]
    wide = cluster.kubectl("get", "xdp", "-o", "wide")
    assert "on 3 of 3 nodes" in wide
    assert str(2**53 - 1) in wide


def test_person_and_operator_apply_without_churn(wire: Wire) -> None:
    path = f"{REDIRECTS}/edge"
    assert applied(wire, path, redirect(), PERSON).status == 201
    assert wire.request(
        "PATCH", f"{path}?fieldManager={OPERATOR}",
        {"metadata": {"finalizers": ["xdpredirect.io/cleanup"]}}, MERGE,
    ).status == 200  # fmt: skip
    assert report(wire, "True").status == 200
    before = version(wire, path)
    for _ in range(3):
        assert applied(wire, path, redirect(), PERSON).status == 200
        assert report(wire, "True").status == 200
    assert version(wire, path) == before
    assert managers(wire, path) == {(PERSON, ""), (OPERATOR, ""), (OPERATOR, "status")}
    stored = wire.request("GET", path).body
    assert stored["metadata"]["finalizers"] == ["xdpredirect.io/cleanup"]
    assert stored["metadata"]["generation"] == 1


def test_a_second_person_meets_a_conflict_and_not_a_mix(wire: Wire) -> None:
    path = f"{REDIRECTS}/edge"
    assert applied(wire, path, redirect(), PERSON).status == 201
    other = redirect()
    other["spec"]["rules"][0]["name"] = "other"
    answer = wire.request("PATCH", f"{path}?fieldManager=other", other, APPLY)
    assert answer.status == 409
    assert ("FieldManagerConflict", ".spec.rules") in [
        (cause["reason"], cause["field"]) for cause in answer.body["details"]["causes"]
    ]


def test_a_message_may_hold_any_character(cluster: Cluster, wire: Wire) -> None:
    """Written with the product's client: server-side apply reads YAML."""
    assert wire.create("xdpredirects", redirect()).status == 201
    odd = 'eth\x7f\x85\x9b\u2028\u2029\ufeff\uffff é€\U0001f600 <&>"\\\n\t\x01 %s {} # : - |'
    failing = [{"name": "a", "reason": "Odd", "message": odd}]
    status = {"observedGeneration": 1, "failingNodes": failing}
    api = Api.connect(cluster.kubeconfig, "test")
    try:
        document = of_kind("XdpRedirect", "edge", status=status)
        stored = api.apply(RESOURCE, document, manager=OPERATOR, subresource="status")
    finally:
        api.close()
    assert stored["status"] == status
