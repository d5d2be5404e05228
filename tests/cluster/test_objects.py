"""Our objects on a real API server: server-side apply, sizes, defaults, columns, owners."""

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP, Answer, Wire
from tests.spec.generate import random_object
from tests.unit.api.changes import example
from tests.unit.api.test_node_size import LARGEST
from xdpredirect.api.node import NodeRedirect, NodeSpec, decode_node, encode_spec
from xdpredirect.api.node_size import ETCD_LIMIT, SPEC_LIMIT, STATUS_LIMIT, fit_status, stored_size
from xdpredirect.cluster.api import Api
from xdpredirect.cluster.resource import REDIRECTS as RESOURCE

APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
REDIRECTS, NODES = f"{GROUP}/xdpredirects", f"{GROUP}/xdpredirectnodes"
OPERATOR, AGENT, PERSON = "xdpredirect-operator", "xdpredirect-agent", "person"
NODE = "objects-a"


def applied(wire: Wire, path: str, body: dict[str, Any], manager: str) -> Answer:
    query = f"fieldManager={manager}&force=true&fieldValidation=Strict"
    return wire.request("PATCH", f"{path}?{query}", body, APPLY)


def redirect(**spec: Any) -> dict[str, Any]:
    document = example("device.yaml")
    document["metadata"] = {"name": "edge"}
    document["spec"] |= spec
    return document


def of_kind(kind: str, name: str, **parts: Any) -> dict[str, Any]:
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        **parts,
    }


def node_spec(*specs: dict[str, Any], revision: int = 1) -> dict[str, Any]:
    redirects = tuple(
        NodeRedirect(name=f"edge-{i}", uid=f"u-{i}", generation=i + 1, spec=spec)
        for i, spec in enumerate(specs)
    )
    return encode_spec(NodeSpec(revision=revision, redirects=redirects))


def for_a_node(**spec: Any) -> dict[str, Any]:
    """The spec of a redirect as it stands in a node object."""
    wanted: dict[str, Any] = redirect(**spec)["spec"]
    del wanted["nodeSelector"]
    return wanted


def version(wire: Wire, path: str) -> str:
    return str(wire.request("GET", path).body["metadata"]["resourceVersion"])


def managers(wire: Wire, path: str) -> set[tuple[str, str]]:
    """(manager, subresource) of everybody who owns a field."""
    fields = wire.request("GET", path).body["metadata"]["managedFields"]
    return {(entry["manager"], entry.get("subresource", "")) for entry in fields}


@pytest.fixture
def objects(wire: Wire) -> Iterator[None]:
    """Removes `edge` and the node object again."""
    yield
    wire.request("PATCH", f"{REDIRECTS}/edge", {"metadata": {"finalizers": None}}, MERGE)
    for path in (f"{REDIRECTS}/edge", f"{NODES}/{NODE}"):
        assert wire.request("DELETE", path).status in (200, 404)


pytestmark = pytest.mark.usefixtures("objects")


def test_nothing_is_green_before_it_was_seen(cluster: Cluster, wire: Wire) -> None:
    answer = wire.create("xdpredirects", redirect())
    assert answer.body["status"] == {"observedGeneration": -1}
    waited = cluster.try_kubectl(["wait", "xdpr/edge", "--for=condition=Ready", "--timeout=1s"])
    assert waited.returncode != 0


def test_ready_is_what_kubectl_waits_for(cluster: Cluster, wire: Wire) -> None:
    assert applied(wire, f"{REDIRECTS}/edge", redirect(), PERSON).status == 201
    assert report(wire, "True").status == 200
    waited = cluster.kubectl("wait", "xdpr/edge", "--for=condition=Ready", "--timeout=60s")
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


def test_operator_and_agent_apply_without_churn(wire: Wire) -> None:
    path = f"{NODES}/{NODE}"
    spec = of_kind("XdpRedirectNode", NODE, spec=node_spec(for_a_node()))
    status = of_kind("XdpRedirectNode", NODE, status={"observedRevision": 1})
    assert applied(wire, path, spec, OPERATOR).status == 201
    assert applied(wire, f"{path}/status", status, AGENT).status == 200
    before = version(wire, path)
    for _ in range(3):
        assert applied(wire, path, spec, OPERATOR).status == 200
        assert applied(wire, f"{path}/status", status, AGENT).status == 200
    assert version(wire, path) == before
    assert managers(wire, path) == {(OPERATOR, ""), (AGENT, "status")}


@pytest.mark.parametrize("chunk", range(2))
def test_the_server_leaves_nothing_out_of_a_node_object(wire: Wire, chunk: int) -> None:
    for seed in range(chunk, 24, 2):
        written = {**random_object(Random(seed)), "metadata": {"name": "edge"}}
        judged = wire.judge("xdpredirects", written)
        assert judged.status == 201, (seed, judged.message)
        spec: dict[str, Any] = judged.body["spec"]
        wanted = node_spec({k: v for k, v in spec.items() if k != "nodeSelector"})
        answer = wire.judge("xdpredirectnodes", of_kind("XdpRedirectNode", NODE, spec=wanted))
        assert answer.status == 201, (seed, answer.message)
        assert answer.body["spec"] == wanted, seed


def test_an_emptied_spec_is_stored_as_one(wire: Wire) -> None:
    path = f"{NODES}/{NODE}"
    for spec in (node_spec(for_a_node()), node_spec(revision=2)):
        document = of_kind("XdpRedirectNode", NODE, spec=spec)
        assert applied(wire, path, document, OPERATOR).status in (200, 201)
        assert wire.request("GET", path).body["spec"] == spec
    assert decode_node(wire.request("GET", path).body) == NodeSpec(revision=2)


def test_redirects_of_a_node_keep_the_order_of_the_operator(wire: Wire) -> None:
    path = f"{NODES}/{NODE}"
    spec = node_spec(for_a_node(), for_a_node(priority=7), for_a_node(mode="Auto"))
    assert applied(wire, path, of_kind("XdpRedirectNode", NODE, spec=spec), OPERATOR).status == 201
    turned = {**spec, "revision": 2, "redirects": spec["redirects"][::-1]}
    assert (
        applied(wire, path, of_kind("XdpRedirectNode", NODE, spec=turned), OPERATOR).status == 200
    )
    stored = decode_node(wire.request("GET", path).body)
    assert [r.name for r in stored.redirects] == ["edge-2", "edge-1", "edge-0"]


@pytest.mark.parametrize("place", ["spec", "redirect", "match"])
def test_a_field_that_the_server_does_not_know_is_not_dropped(wire: Wire, place: str) -> None:
    spec = copy.deepcopy(node_spec(for_a_node()))
    redirect_spec = spec["redirects"][0]["spec"]
    {"spec": spec, "redirect": redirect_spec, "match": redirect_spec["rules"][0]["match"]}[place][
        "narrower"
    ] = 1
    # Without fieldValidation=Strict: server-side apply alone refuses it.
    answer = wire.request(
        "PATCH", f"{NODES}/{NODE}?fieldManager={OPERATOR}&force=true",
        of_kind("XdpRedirectNode", NODE, spec=spec), APPLY,
    )  # fmt: skip
    assert answer.status == 500
    assert "narrower: field not declared in schema" in answer.message


@pytest.mark.parametrize("field", ["revision", "requiredFeatures", "redirects", "addressSets"])
def test_a_spec_says_everything(wire: Wire, field: str) -> None:
    spec = node_spec()
    del spec[field]
    answer = wire.create("xdpredirectnodes", of_kind("XdpRedirectNode", NODE, spec=spec))
    assert answer.status == 422
    assert (f"spec.{field}", "Required value") in answer.causes


def test_the_largest_node_object_goes_in_and_changes(wire: Wire) -> None:
    path, spec = f"{NODES}/{NODE}", largest_spec()
    status: dict[str, Any] = json.loads(json.dumps(fit_status(LARGEST)))
    # One of each type, and values of their pattern.
    for condition, kind in zip(status["conditions"], ("Ready", "A", "B", "C"), strict=True):
        condition["type"] = kind
    status["features"] = [f"a/{i}" for i in range(len(status["features"]))]
    assert 0.9 * SPEC_LIMIT < stored_size(spec) <= SPEC_LIMIT
    assert 0.8 * STATUS_LIMIT < stored_size(status) <= STATUS_LIMIT
    for revision in (1, 2):
        document = of_kind("XdpRedirectNode", NODE, spec={**spec, "revision": revision})
        answer = applied(wire, path, document, OPERATOR)
        assert answer.status in (200, 201), answer.message
        reported = {**status, "observedRevision": revision}
        document = of_kind("XdpRedirectNode", NODE, status=reported)
        answer = applied(wire, f"{path}/status", document, AGENT)
        assert answer.status == 200, answer.message
    stored = wire.request("GET", path).body
    assert (stored["spec"]["revision"], stored["status"]["observedRevision"]) == (2, 2)
    # Lists are atomic: who owns what takes no more room than in a small object.
    assert stored_size(stored["metadata"]) < 3000


def largest_spec(limit: int = SPEC_LIMIT) -> dict[str, Any]:
    """As many full objects as fit: 128 rules of 16 networks each."""
    rule = {
        "match": {"sourceCIDRs": [f"2001:db8:{i:x}::/48" for i in range(16)]},
        "action": {"type": "Device", "device": {"name": "d" * 120}},
    }
    full = for_a_node(rules=[{"name": f"rule-{i}", **rule} for i in range(128)])
    size = stored_size(node_spec(full))
    return node_spec(*[full] * (limit // size))


def test_what_is_larger_is_refused_in_words(wire: Wire) -> None:
    document = of_kind("XdpRedirectNode", NODE, spec=largest_spec(ETCD_LIMIT + 100_000))
    answer = applied(wire, f"{NODES}/{NODE}", document, OPERATOR)
    assert answer.status == 500
    assert "etcdserver: request is too large" in answer.message


def test_a_node_object_goes_with_its_node(cluster: Cluster, wire: Wire) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
    uid = wire.request("POST", "/api/v1/nodes", node).body["metadata"]["uid"]
    document = of_kind("XdpRedirectNode", NODE, spec=node_spec())
    owner = {"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": uid}
    document["metadata"]["ownerReferences"] = [owner]
    assert applied(wire, f"{NODES}/{NODE}", document, OPERATOR).status == 201
    assert wire.request("DELETE", f"/api/v1/nodes/{NODE}").status == 200
    until(
        lambda: wire.request("GET", f"{NODES}/{NODE}").status == 404,
        "the garbage collector has removed the node object",
        evidence=cluster.control_plane.evidence,
    )


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


def test_sizes_are_those_of_the_server(cluster: Cluster, wire: Wire) -> None:
    """Escapes included: what the server sends is what it stores."""
    spec, path = node_spec(for_a_node()), f"{NODES}/{NODE}"
    status = {"agentVersion": '<&>\u2028é€"\n', "observedRevision": 1}
    assert applied(wire, path, of_kind("XdpRedirectNode", NODE, spec=spec), OPERATOR).status == 201
    document = of_kind("XdpRedirectNode", NODE, status=status)
    assert applied(wire, f"{path}/status", document, AGENT).status == 200
    raw = cluster.kubectl("get", "--raw", path)
    stored = json.loads(raw)
    assert stored["status"] == status
    assert stored_size(stored) == len(raw.strip().encode())
