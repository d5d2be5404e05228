"""What the operator writes for single nodes, against a model of the API server."""

from tests.unit.controller.documents import rule, spec
from tests.unit.controller.looks import condition, node_spec, redirect, run_agents, told
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import Operator
from xdpredirect.cluster.resource import NODE_OBJECTS, NODES
from xdpredirect.controller.actions import (
    ApplyNodeObject,
    ApplyStatus,
    PostEvent,
)


def test_selected_nodes_are_told_the_spec_without_its_selector(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    given = {name: value for name, value in spec().items() if name != "nodeSelector"}
    uid = redirect(cluster)["metadata"]["uid"]
    assert node_spec(cluster, "a") == {
        "revision": 1,
        "requiredFeatures": sorted(node_spec(cluster, "a")["requiredFeatures"]),
        "redirects": [{"name": "edge", "uid": uid, "generation": 1, "spec": given}],
        "addressSets": [],
    }
    assert "action/Device" in node_spec(cluster, "a")["requiredFeatures"]
    assert "b" not in cluster.store[NODE_OBJECTS.plural]


def test_objects_stand_in_the_order_in_which_frames_meet_them(
    cluster: ModelCluster, operator: Operator
) -> None:
    for name, priority in (("c", 500), ("d", 10), ("b", 500)):
        cluster.write_redirect(name, spec(priority))
    operator.settle()
    assert told(cluster, "a") == ["d", "b", "c"]


def test_revision_counts_up_only_with_a_change(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    run_agents(cluster)
    cluster.write_node("a", {"zone": "1", "rack": "7"})
    operator.settle()
    assert node_spec(cluster, "a")["revision"] == 1
    cluster.write_redirect("edge", spec(priority=7))
    operator.settle()
    assert node_spec(cluster, "a")["revision"] == 2


def test_a_node_that_leaves_is_emptied_and_its_object_stays(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    cluster.write_node("a", {"zone": "3"})
    done = operator.settle()
    (emptied,) = [a for a in done if not isinstance(a, ApplyStatus | PostEvent)]
    assert isinstance(emptied, ApplyNodeObject)
    assert emptied.rendered.entries == ()
    assert told(cluster, "a") == []
    assert node_spec(cluster, "a")["revision"] == 2
    assert condition(cluster, "Ready") == ("True", "NothingSelected")
    assert condition(cluster, "Degraded") == ("True", "NothingSelected")


def test_what_has_no_room_on_a_node_is_left_out_by_name(
    cluster: ModelCluster, operator: Operator
) -> None:
    for number in range(9):
        large = spec(priority=number)
        large["interfaces"] = [{"names": ["x" * 170_000]}]
        cluster.write_redirect(f"large-{number}", large)
    operator.settle()
    run_agents(cluster)
    operator.settle()
    left = told(cluster, "a")
    assert left == [f"large-{number}" for number in range(len(left))]
    assert 5 < len(left) < 9
    assert condition(cluster, "Stalled", "large-8") == ("True", "NodeObjectTooLarge")
    assert condition(cluster, "Ready", "large-0")[0] == "True"
    cluster.write_redirect("large-0", spec())
    operator.settle()
    run_agents(cluster)
    operator.settle()
    assert told(cluster, "a") == [
        *(f"large-{number}" for number in range(1, len(left) + 1)),
        "large-0",
    ]


def test_a_selector_of_a_newer_version_leaves_the_node_as_it_is(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    newer = spec(priority=7)
    newer["nodeSelector"] = {"matchFields": [{"key": "metadata.name"}]}
    cluster.write_redirect("edge", newer)
    operator.settle()
    assert [entry["generation"] for entry in node_spec(cluster, "a")["redirects"]] == [1]
    assert condition(cluster, "Stalled") == ("True", "UnreadableSpec")


def test_address_sets_of_a_node_are_named_for_its_agent(
    cluster: ModelCluster, operator: Operator
) -> None:
    narrowed = spec(zone="1")
    narrowed["rules"] = [rule("r", sourceAddressSets=[{"name": "bad"}, {"name": "worse"}])]
    cluster.write_redirect("edge", narrowed)
    operator.settle()
    assert node_spec(cluster, "a")["addressSets"] == ["bad", "worse"]


def test_the_node_object_follows_a_node_that_was_made_again(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    orphan = cluster.store[NODE_OBJECTS.plural]["a"]
    cluster.delete(NODES, "a")
    cluster.store[NODE_OBJECTS.plural]["a"] = orphan  # the garbage collector is slow
    cluster.write_node("a", {})
    operator.settle()
    owners = cluster.store[NODE_OBJECTS.plural]["a"]["metadata"]["ownerReferences"]
    assert [o["uid"] for o in owners] == [cluster.store[NODES.plural]["a"]["metadata"]["uid"]]
