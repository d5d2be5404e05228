"""Node objects on a real API server: server-side apply, atomic lists, sizes, their owner."""

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.objects import (
    AGENT,
    APPLY,
    NODE,
    NODES,
    OPERATOR,
    applied,
    for_a_node,
    managers,
    node_spec,
    of_kind,
    version,
)
from tests.cluster.waiting import until
from tests.cluster.wire import Wire
from tests.spec.generate import random_object
from tests.unit.api.test_node_size import LARGEST
from xdpredirect.api.node import NodeSpec, decode_node
from xdpredirect.api.node_size import ETCD_LIMIT, SPEC_LIMIT, STATUS_LIMIT, fit_status, stored_size


@pytest.fixture
def node_object(wire: Wire) -> Iterator[None]:
    """Removes it again."""
    yield
    assert wire.request("DELETE", f"{NODES}/{NODE}").status in (200, 404)


pytestmark = pytest.mark.usefixtures("node_object")


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
