"""The operator labels Nodes that need an agent, and changes nothing else of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.installed import install, operator_token
from tests.cluster.waiting import until
from tests.cluster.wire import Wire

MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
NODE = "/api/v1/nodes/policy-a"


@pytest.fixture(scope="module")
def operator(cluster: Cluster) -> Wire:
    """Requests with the operator's token."""
    install(cluster)
    return Wire(cluster, operator_token(cluster))


@pytest.fixture
def node(wire: Wire, operator: Wire) -> Iterator[str]:
    """The path of a Node that others have labelled, annotated and tainted."""
    document = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "policy-a", "labels": {"zone": "a"}, "annotations": {"note": "a"}},
        "spec": {"taints": [{"key": "busy", "effect": "NoSchedule"}]},
    }
    assert wire.request("POST", "/api/v1/nodes", document).status == 201
    taken = {"metadata": {"labels": {"zone": "b"}}}
    until(lambda: operator.request("PATCH", NODE, taken, MERGE).status == 403, "it is in force")
    yield NODE
    assert wire.request("DELETE", NODE).status == 200


def test_the_operator_labels_nodes_that_need_an_agent(
    operator: Wire, wire: Wire, node: str
) -> None:
    labels = []
    for value in ("wanted", "other", None):
        change = {"metadata": {"labels": {"xdpredirect.io/agent": value}}}
        assert operator.request("PATCH", node, change, MERGE).status == 200
        labels.append(wire.request("GET", node).body["metadata"]["labels"])
    assert [found.pop("xdpredirect.io/agent", None) for found in labels] == [
        "wanted", "other", None
    ]  # fmt: skip
    assert labels == [{"zone": "a"}] * 3
    metadata = {"name": "policy-a", "labels": {"xdpredirect.io/agent": "wanted"}}
    applied = {"apiVersion": "v1", "kind": "Node", "metadata": metadata}
    path = f"{node}?fieldManager=xdpredirect-operator"
    assert operator.request("PATCH", path, applied, APPLY).status == 200


CHANGES: dict[str, Any] = {
    "a taint": {"spec": {"taints": [{"key": "busy", "effect": "NoExecute"}]}},
    "no taint": {"spec": {"taints": None}},
    "cordoned": {"spec": {"unschedulable": True}},
    "a provider": {"spec": {"providerID": "a"}},
    "a label more": {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}},
    "a label less": {"metadata": {"labels": {"zone": None}}},
    "a label changed": {"metadata": {"labels": {"zone": "b"}}},
    "an annotation more": {"metadata": {"annotations": {"b": "b"}}},
    "no annotation": {"metadata": {"annotations": None}},
    "a finalizer": {"metadata": {"finalizers": ["example.com/stay"]}},
    "an owner": {
        "metadata": {
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "b", "uid": "b"}]
        }
    },
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("together", [False, True], ids=["alone", "with its label"])
def test_it_changes_nothing_else_of_a_node(
    operator: Wire, wire: Wire, node: str, change: str, together: bool
) -> None:
    asked = json.loads(json.dumps(CHANGES[change]))
    if together:
        asked.setdefault("metadata", {}).setdefault("labels", {})["xdpredirect.io/agent"] = "a"
    answer = operator.request("PATCH", node, asked, MERGE)
    assert answer.status == 403
    words = 'must not change anything of Node "policy-a" but the label xdpredirect.io/agent'
    assert words in answer.message
    labels = wire.request("GET", node).body["metadata"]["labels"]
    assert labels == {"zone": "a"}


def test_others_change_nodes_as_before(wire: Wire, node: str) -> None:
    assert wire.request("PATCH", node, CHANGES["a label changed"], MERGE).status == 200
