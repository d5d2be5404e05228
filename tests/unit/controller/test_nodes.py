"""Nodes that the cluster gave up: what the operator reads of a Node, and what follows."""

import pytest

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import condition, node_spec, redirect, run_agents, told
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import SILENCE, Operator
from xdpredirect.cluster.resource import NODE_OBJECTS, NODES, REDIRECTS
from xdpredirect.controller.agents import LABEL, LABEL_VALUE, Agents, daemon_set
from xdpredirect.controller.read_node import node_essence, read_node

GONE = (
    ("node.kubernetes.io/unreachable", "NoSchedule"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/not-ready", "NoExecute"),
)
THERE = (
    ("node.kubernetes.io/not-ready", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ("example.com/dedicated", "NoExecute"),
)


def unreachable(cluster: ModelCluster) -> int:
    count: int = redirect(cluster)["status"]["nodes"]["unreachable"]
    return count


@pytest.fixture
def ready(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    run_agents(cluster)
    operator.settle()


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("taint", GONE)
def test_a_node_that_the_cluster_gave_up_is_counted_at_once_and_holds_nothing_up(
    cluster: ModelCluster, operator: Operator, taint: tuple[str, str]
) -> None:
    cluster.taint("b", taint)
    operator.settle()
    assert condition(cluster, "Ready") == ("True", "Redirecting")
    assert condition(cluster, "Degraded") == ("True", "NodeUnreachable")
    assert unreachable(cluster) == 1
    cluster.write_redirect("edge", spec(priority=7))
    operator.settle()
    run_agents(cluster, "a")
    operator.settle()
    assert condition(cluster, "Ready") == ("True", "Redirecting"), "nobody waits for it"
    cluster.taint("b")
    run_agents(cluster, "b")
    operator.settle()
    assert condition(cluster, "Degraded")[0] == "False"
    assert unreachable(cluster) == 0


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("taint", THERE)
def test_other_taints_mean_nothing_here(
    cluster: ModelCluster, operator: Operator, taint: tuple[str, str]
) -> None:
    cluster.taint("b", taint)
    assert operator.settle() == []


@pytest.mark.usefixtures("ready")
def test_a_node_that_the_cluster_gave_up_still_has_its_time_to_detach(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.taint("b", GONE[0])
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    run_agents(cluster, "a")
    cluster.now += SILENCE - 1
    operator.settle()
    assert "edge" in cluster.store[REDIRECTS.plural]
    cluster.now += 1
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


def test_of_a_node_only_what_is_needed_is_kept() -> None:
    metadata = {
        "name": "a",
        "uid": "u",
        "resourceVersion": "7",
        "labels": {"zone": "1"},
        "deletionTimestamp": "2026-01-01T00:00:00Z",
    }
    taint = {"key": GONE[0][0], "effect": GONE[0][1]}
    document: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {**metadata, "annotations": {"a": "b"}, "managedFields": [{}]},
        "spec": {"podCIDR": "10.0.0.0/24", "taints": [{**taint, "timeAdded": "now"}]},
        "status": {"images": [{"names": ["x"] * 50}] * 50},
    }
    essence = node_essence(document)
    assert essence == {"metadata": metadata, "spec": {"taints": [taint]}}
    assert read_node(essence) == read_node(document)
    assert read_node(essence).unreachable


def labelled(cluster: ModelCluster, name: str) -> bool:
    labels = cluster.store[NODES.plural][name]["metadata"]["labels"]
    return bool(labels.get(LABEL) == LABEL_VALUE)


def test_a_node_that_comes_back_without_its_labels_is_emptied(
    cluster: ModelCluster, operator: Operator
) -> None:
    operator.fleet.agents.wanted = daemon_set(Agents(image="agent:1"), "system")
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    run_agents(cluster)
    operator.settle()
    cluster.delete(NODES, "a")
    operator.settle()
    assert "a" not in cluster.store[NODE_OBJECTS.plural]
    cluster.write_node("a", {})
    operator.settle()
    assert told(cluster, "a") == []
    assert labelled(cluster, "a"), "its agent has to read it"
    run_agents(cluster)
    operator.settle()
    assert not labelled(cluster, "a")
    assert node_spec(cluster, "a")["revision"] == 1


def test_a_node_that_had_let_go_comes_back_to_nothing(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    cluster.write_node("a", {})
    operator.settle()
    run_agents(cluster)
    operator.settle()
    cluster.delete(NODES, "a")
    operator.settle()
    cluster.write_node("a", {})
    operator.settle()
    assert "a" not in cluster.store[NODE_OBJECTS.plural]


def test_a_node_object_that_somebody_deletes_does_not_end_a_deletion(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    run_agents(cluster)
    operator.settle()
    del cluster.store[NODE_OBJECTS.plural]["a"]
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    assert told(cluster, "a") == []
    assert "edge" in cluster.store[REDIRECTS.plural]
    run_agents(cluster)
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


@pytest.mark.parametrize("end", ["answered", "silent", "gone"])
def test_a_node_that_came_back_without_its_labels_holds_a_deletion(
    cluster: ModelCluster, operator: Operator, end: str
) -> None:
    """Its new object names nothing, and nothing selects it: it may run whatever it ran."""
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    run_agents(cluster)
    operator.settle()
    cluster.delete(NODES, "a")
    operator.settle()
    cluster.write_node("a", {})
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    assert told(cluster, "a") == []
    assert "edge" in cluster.store[REDIRECTS.plural]
    if end == "answered":
        run_agents(cluster)
    elif end == "silent":
        cluster.now += SILENCE
    else:
        cluster.delete(NODES, "a")
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


def test_a_node_that_answered_after_it_came_back_holds_no_other_deletion(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    cluster.delete(NODES, "a")
    operator.settle()
    cluster.write_node("a", {"zone": "2"})
    cluster.write_redirect("other", spec(zone="2"))
    operator.settle()
    run_agents(cluster)
    operator.settle()
    cluster.write_redirect("other", spec(zone="2", priority=7))
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]
