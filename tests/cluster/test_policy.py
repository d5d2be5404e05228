"""What the operator's token is good for, and what the policies refuse it: real requests."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.installed import SYSTEM, agents_of, install, operator_token, rendered
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP, Answer, Wire
from tests.unit.api.changes import example

MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
REDIRECTS = f"{GROUP}/xdpredirects"
FINALIZER = "xdpredirect.io/cleanup"


@pytest.fixture(scope="module")
def token(cluster: Cluster) -> str:
    install(cluster)
    return operator_token(cluster)


@pytest.fixture
def operator(cluster: Cluster, wire: Wire, token: str) -> Iterator[Wire]:
    """Requests with the operator's token, beside an XdpRedirect called `edge`."""
    made = Wire(cluster, token)
    assert wire.create("xdpredirects", edge()).status == 201
    until(lambda: patched(made, {"spec": {"priority": 7}}).status == 403, "the policy is in force")
    yield made
    wire.request("PATCH", f"{REDIRECTS}/edge", {"metadata": {"finalizers": None}}, MERGE)
    assert wire.request("DELETE", f"{REDIRECTS}/edge").status == 200


def edge() -> dict[str, Any]:
    document = example("device.yaml")
    document["metadata"] = {"name": "edge"}
    return document


def patched(wire: Wire, change: dict[str, Any]) -> Answer:
    return wire.request("PATCH", f"{REDIRECTS}/edge", change, MERGE)


def test_the_operator_sets_its_finalizer_and_no_spec(operator: Wire, wire: Wire) -> None:
    assert patched(operator, {"metadata": {"finalizers": [FINALIZER]}}).status == 200
    answer = patched(operator, {"spec": {"priority": 7}})
    assert answer.status == 403
    assert 'the operator must not change the spec of XdpRedirect "edge"' in answer.message
    stored = wire.request("GET", f"{REDIRECTS}/edge").body
    assert stored["metadata"]["finalizers"] == [FINALIZER]
    assert (stored["spec"]["priority"], stored["metadata"]["generation"]) == (500, 1)
    # Also when it lets go of an object that is being deleted.
    assert wire.request("DELETE", f"{REDIRECTS}/edge").status == 200
    assert patched(operator, {"metadata": {"finalizers": None}}).status == 200
    assert wire.request("GET", f"{REDIRECTS}/edge").status == 404
    assert wire.create("xdpredirects", edge()).status == 201


def test_people_change_specs(operator: Wire, wire: Wire) -> None:
    assert patched(wire, {"spec": {"priority": 7}}).status == 200


def test_the_operator_writes_statuses(operator: Wire) -> None:
    body = {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirect",
        "metadata": {"name": "edge"},
        "status": {"observedGeneration": 1},
    }
    path = f"{REDIRECTS}/edge/status?fieldManager=xdpredirect-operator&force=true"
    assert operator.request("PATCH", path, body, APPLY).status == 200


THEFTS = {
    "statuses of nodes": ("PATCH", f"{GROUP}/xdpredirectnodes/a/status"),
    "address sets": ("GET", f"{GROUP}/xdpaddresssets"),
    "an address set changed": ("PATCH", f"{GROUP}/xdpaddresssets/a"),
    "an object of somebody": ("DELETE", f"{REDIRECTS}/edge"),
    "an object more": ("POST", REDIRECTS),
    "secrets": ("GET", "/api/v1/secrets"),
    # It lists them, for clients of type Pods, and that is all.
    "a pod": ("GET", f"/api/v1/namespaces/{SYSTEM}/pods/a"),
    "its log": ("GET", f"/api/v1/namespaces/{SYSTEM}/pods/a/log"),
    "a new pod": ("POST", f"/api/v1/namespaces/{SYSTEM}/pods"),
    "a changed pod": ("PATCH", f"/api/v1/namespaces/{SYSTEM}/pods/a"),
    "one pod less": ("DELETE", f"/api/v1/namespaces/{SYSTEM}/pods/a"),
    "a node's status": ("PATCH", "/api/v1/nodes/a/status"),
    "a node removed": ("DELETE", "/api/v1/nodes/a"),
    "the schemas": ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    "its lease removed": (
        "DELETE",
        f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/xdp-redirect-operator",
    ),
    "its agents removed": (
        "DELETE",
        f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets/xdp-redirect-agent",
    ),
    "what events say": ("GET", "/apis/events.k8s.io/v1/namespaces/default/events"),
    "daemon sets elsewhere": ("GET", "/apis/apps/v1/namespaces/kube-system/daemonsets"),
    "leases elsewhere": ("GET", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"),
    "roles": ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
}


@pytest.mark.parametrize("theft", THEFTS)
def test_it_has_no_right_to_anything_else(operator: Wire, theft: str) -> None:
    method, path = THEFTS[theft]
    body: dict[str, Any] | None = None if method in ("GET", "DELETE") else {}
    answer = operator.request(
        method, path, body, MERGE if method == "PATCH" else "application/json"
    )
    assert answer.status == 403
    assert f'User "system:serviceaccount:{SYSTEM}:xdp-redirect-operator" cannot' in answer.message


NEEDS = {
    "nodes": "/api/v1/nodes",
    "its lease": f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/xdp-redirect-operator",
    "its daemon set": f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets",
    "redirects": REDIRECTS,
    "node objects": f"{GROUP}/xdpredirectnodes",
}


@pytest.mark.parametrize("need", NEEDS)
def test_it_reads_what_it_needs(operator: Wire, need: str) -> None:
    assert operator.request("GET", NEEDS[need]).status in (200, 404)


def test_the_agents_are_what_the_operator_may_apply(cluster: Cluster, operator: Wire) -> None:
    agents = agents_of(rendered(cluster))
    path = f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets/{agents['metadata']['name']}"
    query = "fieldManager=xdpredirect-operator&fieldValidation=Strict&dryRun=All"
    answer = operator.request("PATCH", f"{path}?{query}", agents, APPLY)
    assert answer.status == 201, answer.message
