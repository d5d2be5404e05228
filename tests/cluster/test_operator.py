"""The operator on a real API server: what nodes are told, and what the object says of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.operator_scene import Scene

ZONE = "example.com/zone"


@pytest.fixture
def scene(installed: Cluster) -> Iterator[Scene]:
    made = Scene(installed)
    try:
        made.start()
        yield made
    finally:
        made.close()


def test_apply_update_delete(scene: Scene) -> None:
    scene.nodes.add("op-a", "op-b", **{ZONE: "1"})
    scene.nodes.add("op-c", **{ZONE: "2"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.until_told("op-b", "edge")
    assert scene.nodes.told("op-c") == []
    scene.until_condition("edge", "Ready", "Unknown", "Progressing")
    scene.nodes.reply()
    scene.wait("edge")
    status = scene.get("edge")["status"]
    assert status["nodes"]["ready"] == status["nodes"]["selected"] == 2
    assert status["traffic"]["redirectedPackets"] == 200

    scene.apply("edge", {ZONE: "1"}, priority=7)
    for node in ("op-a", "op-b"):
        scene.until(
            lambda: scene.nodes.told(node) == [("edge", 2)],  # noqa: B023
            f"the change is told to {node}",
        )
    scene.until_condition("edge", "Reconciling", "True", "Progressing")
    scene.nodes.reply()
    scene.wait("edge")
    assert scene.get("edge")["status"]["observedGeneration"] == 2

    scene.delete("edge")
    scene.until_told("op-a")
    scene.until_told("op-b")
    scene.nodes.reply("op-a")
    scene.until(
        lambda: "op-b" in scene.get("edge")["status"]["conditions"][0]["message"],
        "the status says who holds it",
    )
    scene.nodes.reply("op-b")
    scene.cluster.kubectl("wait", "--for=delete", "xdpredirect/edge", "--timeout=180s")


def test_nodes_come_change_and_go(scene: Scene) -> None:
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.nodes.reply()
    scene.wait("edge")

    scene.nodes.add("op-b", **{ZONE: "1"})
    scene.until_told("op-b", "edge")
    scene.until_condition("edge", "Ready", "Unknown", "Progressing")
    scene.nodes.reply()
    scene.wait("edge")

    scene.nodes.add("op-a", **{ZONE: "2"})
    scene.until_told("op-a")
    assert scene.nodes.spec("op-a")["revision"] == 2
    scene.until(
        lambda: scene.get("edge")["status"]["nodes"]["selected"] == 1, "one node is selected"
    )

    scene.cluster.kubectl("delete", "node", "op-b")
    scene.until_condition("edge", "Ready", "True", "NothingSelected")
    scene.until_condition("edge", "Degraded", "True", "NothingSelected")
    scene.until(lambda: not scene.nodes.spec("op-b"), "the object of the node goes with its Node")


def test_a_node_that_the_cluster_gave_up_is_counted_and_holds_nothing_up(scene: Scene) -> None:
    scene.nodes.add("op-a", "op-b", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.until_told("op-b", "edge")
    scene.nodes.reply()
    scene.wait("edge")
    taint = "node.kubernetes.io/unreachable:NoExecute"
    scene.cluster.kubectl("taint", "node", "op-b", taint)
    scene.until_condition("edge", "Degraded", "True", "NodeUnreachable")
    assert scene.condition("edge", "Ready") == ("True", "Redirecting")
    assert scene.get("edge")["status"]["nodes"]["unreachable"] == 1
    scene.cluster.kubectl("taint", "node", "op-b", f"{taint}-")
    scene.until_condition("edge", "Degraded", "False", "NothingAtRisk")
    assert scene.get("edge")["status"]["nodes"]["ready"] == 2


def test_a_node_that_comes_back_without_its_labels_is_emptied(scene: Scene) -> None:
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.nodes.reply()
    scene.wait("edge")
    scene.cluster.kubectl("delete", "node", "op-a")
    scene.until(lambda: not scene.nodes.spec("op-a"), "the object of the node goes with its Node")
    scene.nodes.add("op-a")
    scene.until(lambda: scene.nodes.spec("op-a"), "the node is told again")
    assert scene.nodes.told("op-a") == []


def test_a_node_that_is_gone_does_not_hold_a_deletion(scene: Scene) -> None:
    scene.nodes.add("op-a", "op-b", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    for node in ("op-a", "op-b"):
        scene.until_told(node, "edge")
    scene.nodes.reply()
    scene.wait("edge")
    scene.delete("edge")
    scene.until_told("op-a")
    scene.nodes.reply("op-a")
    scene.cluster.kubectl("delete", "node", "op-b")
    scene.until(lambda: not scene.exists("edge"), "edge is gone")


def test_two_objects_in_conflict(scene: Scene) -> None:
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("second", {ZONE: "1"}, mode="Generic")
    scene.apply("first", {ZONE: "1"}, priority=10)
    scene.until_told("op-a", "first", "second")
    winner = "XdpRedirect first runs on eth0 in mode Native; give both the same mode"
    scene.nodes.reply(state="Conflicted", reason="Conflicted", message=winner)
    scene.until_condition("second", "Ready", "False", "Conflicted")
    scene.until_condition("second", "Stalled", "True", "Conflicted")
    failing = scene.get("second")["status"]["failingNodes"]
    assert failing == [{"name": "op-a", "reason": "Conflicted", "message": winner}]


@pytest.mark.parametrize("state", ["Paused", "Detached"])
def test_states_reach_the_agent_and_its_answer_the_object(scene: Scene, state: str) -> None:
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.nodes.reply()
    scene.wait("edge")
    scene.apply("edge", {ZONE: "1"}, state=state)
    scene.until(lambda: scene.nodes.told("op-a") == [("edge", 2)], "the state is told")
    assert scene.nodes.spec("op-a")["redirects"][0]["spec"]["state"] == state
    scene.nodes.reply(state=state)
    scene.until_condition("edge", "Ready", "True", state)


def test_describe_tells_what_became_of_it(scene: Scene) -> None:
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.nodes.reply()
    scene.wait("edge")

    def described() -> str:
        return scene.cluster.kubectl("describe", "xdpredirect", "edge")

    scene.until(
        lambda: "running on 1 interface of 1 node" in described().split("Events:")[-1], "it is told"
    )
    scene.nodes.reply(state="Failed", reason="ApplyFailed", message="eth0: EBUSY")
    scene.until(lambda: "ApplyFailed" in described().split("Events:")[-1], "the failure is told")
    events = described().split("Events:")[-1]
    assert events.count("Redirecting") == 1
    assert "Warning" in events


def test_the_log_says_which_object_node_and_generation(scene: Scene) -> None:
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")

    def records() -> list[dict[str, Any]]:
        lines = scene.replicas[0].process.log.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def tellings() -> list[tuple[int, int]]:
        about = [r for r in records() if r.get("node") == "op-a" and r["level"] == "info"]
        return [(record["revision"], record["generation"]) for record in about]

    scene.until(lambda: tellings() == [(1, 1)], "it is logged")
    scene.apply("edge", {ZONE: "1"})
    scene.nodes.reply()
    scene.apply("edge", {ZONE: "1"}, priority=7)
    scene.until(lambda: tellings() == [(1, 1), (2, 2)], "and the next one")

    def generations() -> set[int]:
        about = [record for record in records() if record.get("object") == "edge"]
        return {record["generation"] for record in about}

    scene.until(lambda: generations() == {1, 2}, "so are those about the object")
