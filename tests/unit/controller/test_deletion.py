"""Deleting an object: until when it stays, and for whom it does not."""

from typing import Any

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import condition, redirect, run_agents, told
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import SILENCE, Operator
from xdpredirect.cluster.resource import NODE_OBJECTS, NODES, REDIRECTS
from xdpredirect.controller.actions import (
    RemoveFinalizer,
)


def test_deletion_returns_when_live_nodes_say_so(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    run_agents(cluster)
    operator.settle()
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    assert told(cluster, "a") == told(cluster, "b") == []
    assert condition(cluster, "Reconciling") == ("True", "Deleting")
    run_agents(cluster, "a")
    operator.settle()
    assert redirect(cluster)["status"]["conditions"][0]["message"].endswith("to detach: b")
    run_agents(cluster, "b")
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


def test_a_silent_node_does_not_hold_a_deletion(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    run_agents(cluster)
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    run_agents(cluster, "a")
    cluster.now += SILENCE - 1
    operator.settle()
    assert "edge" in cluster.store[REDIRECTS.plural]
    cluster.now += 1
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


def test_a_node_that_is_gone_does_not_hold_a_deletion(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    run_agents(cluster)
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    run_agents(cluster, "a")
    cluster.delete(NODES, "b")
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


def deleting(cluster: ModelCluster, operator: Operator, **report: Any) -> list[str]:
    """Deletes `edge`, which runs on node `a`, and lets its agent say `report`; what is still told
    to hold it."""
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    cluster.store[NODE_OBJECTS.plural]["a"]["status"] = report
    cluster.write_node("c", {})  # any change at all
    cluster.store[NODE_OBJECTS.plural]["a"]["metadata"]["resourceVersion"] = "1000"
    operator.settle()
    return list(cluster.store[REDIRECTS.plural])


def reported(cluster: ModelCluster) -> list[dict[str, Any]]:
    stored = redirect(cluster)["metadata"]
    return [{"name": "edge", "uid": stored["uid"], "observedGeneration": 1, "state": "Active"}]


def test_a_node_that_never_said_what_it_did_holds_a_deletion(
    cluster: ModelCluster, operator: Operator
) -> None:
    assert deleting(cluster, operator) == ["edge"]
    assert deleting(cluster, operator, observedRevision=1, redirects=[]) == ["edge"]
    assert deleting(cluster, operator, observedRevision=2, redirects=[]) == []


def test_a_node_that_is_still_detaching_holds_a_deletion(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    said = reported(cluster)
    assert deleting(cluster, operator, observedRevision=2, redirects=said) == ["edge"]
    assert deleting(cluster, operator, observedRevision=2, redirects=[]) == []


def test_a_node_that_is_told_holds_a_deletion_whatever_it_says(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    cluster.store[NODE_OBJECTS.plural]["a"]["status"] = {"observedRevision": 1, "redirects": []}
    cluster.delete(REDIRECTS, "edge")
    operator = Operator(cluster)
    operator.look()
    assert not [action for action in operator.plan() if isinstance(action, RemoveFinalizer)]


def test_a_node_that_left_before_it_said_anything_holds_a_deletion(
    cluster: ModelCluster, operator: Operator
) -> None:
    """It was told, and may run it: its next spec is without it, and nobody has read that yet."""
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    cluster.write_node("a", {})
    operator.settle()
    cluster.write_node("a", {"zone": "2"})
    cluster.write_redirect("other", spec(zone="2"))
    operator.settle()
    assert told(cluster, "a") == ["other"]
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    assert redirect(cluster)["status"]["conditions"][0]["message"].endswith("to detach: a")
    run_agents(cluster)
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


def test_a_node_that_was_never_told_holds_no_deletion(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("other", spec(zone="2"))
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    run_agents(cluster, "a")
    cluster.write_redirect("other", spec(zone="2", priority=7))
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    run_agents(cluster, "a")
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


def test_finalizers_of_others_are_theirs(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec(zone="9"))
    operator.settle()
    redirect(cluster)["metadata"]["finalizers"].append("example.com/audit")
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    assert redirect(cluster)["metadata"]["finalizers"] == ["example.com/audit"]
