"""Operators that are stopped, killed, cut off or many: what nodes run stays what people want."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.operator_scene import LEASE, Scene
from tests.cluster.replies import versions
from tests.cluster.test_operator import ZONE

SILENCE = "3"


@pytest.fixture
def scene(installed: Cluster) -> Iterator[Scene]:
    made = Scene(installed)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def impatient(installed: Cluster) -> Iterator[Scene]:
    made = Scene(installed, silence=SILENCE)
    try:
        yield made
    finally:
        made.close()


def passes(scene: Scene, replica: int) -> bool:
    """Whether a replica leads and has planned with the whole fleet known."""
    host = scene.replicas[replica].host
    ready = host.run(["curl", "-sf", "http://127.0.0.1:8080/readyz"], check=False).returncode == 0
    return ready and scene.leader().startswith(f"operator-{replica}_")


def some_node_is_told(scene: Scene, generation: int) -> bool:
    return len(differing(scene, generation)) < len(scene.nodes.names)


def differing(scene: Scene, generation: int) -> list[str]:
    """Nodes that are not told this generation of `edge`."""
    return [n for n in scene.nodes.names if scene.nodes.told(n) != [("edge", generation)]]


def test_a_new_operator_writes_nothing_where_nothing_changed(scene: Scene) -> None:
    scene.start()
    scene.nodes.add("op-a", "op-b", **{ZONE: "1"})
    for name in ("one", "two"):
        scene.apply(name, {ZONE: "1"})
    scene.until_told("op-b", "one", "two")
    scene.until_told("op-a", "one", "two")
    scene.nodes.reply()
    scene.wait("one")
    scene.wait("two")
    before = versions(scene.wire)
    assert scene.replicas[0].process.stop() == 0
    scene.start()
    scene.until(lambda: passes(scene, 1), "the second operator leads and is done")
    assert versions(scene.wire) == before
    log = scene.replicas[1].process.log.read_text()
    assert "revision" not in log
    assert "status" not in log


def test_what_changed_while_nobody_looked_is_found(scene: Scene) -> None:
    scene.start()
    scene.nodes.add("op-a", "op-b", **{ZONE: "1"})
    for name in ("kept", "gone"):
        scene.apply(name, {ZONE: "1"})
    scene.until_told("op-a", "gone", "kept")
    scene.until_told("op-b", "gone", "kept")
    scene.nodes.reply()
    scene.replicas[0].process.kill()
    scene.delete("gone")
    scene.apply("new", {ZONE: "1"})
    scene.nodes.add("op-b", **{ZONE: "2"})
    told = scene.nodes.told("op-a")
    assert [name for name, _ in told] == ["gone", "kept"], "nobody writes while nobody leads"
    scene.wire.request("DELETE", LEASE)
    scene.start()
    scene.until_told("op-a", "kept", "new")
    scene.until_told("op-b")
    scene.nodes.reply()
    scene.until(lambda: not scene.exists("gone"), "what was deleted is gone")
    scene.wait("new")


def test_of_two_the_other_takes_over_when_one_stops_or_dies(scene: Scene) -> None:
    scene.start()
    scene.until(lambda: passes(scene, 0), "the first leads")
    scene.start()
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    assert "revision" not in scene.replicas[1].process.log.read_text(), "only one acts"

    assert scene.replicas[0].process.stop() == 0
    scene.until(lambda: passes(scene, 1), "a lease that was given back is taken")
    scene.start()
    scene.apply("edge", {ZONE: "1"}, priority=7)
    scene.until(lambda: scene.nodes.told("op-a") == [("edge", 2)], "the second acts")

    scene.replicas[1].process.kill()
    scene.apply("edge", {ZONE: "1"}, priority=8)
    scene.until(lambda: scene.nodes.told("op-a") == [("edge", 3)], "the third acts")
    scene.until(lambda: passes(scene, 2), "the third leads")


def test_a_leader_that_is_cut_off_ends_and_writes_nothing(scene: Scene) -> None:
    first = scene.start()
    scene.until(lambda: passes(scene, 0), "the first leads")
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.start()
    first.process.freeze(True)
    scene.until(lambda: passes(scene, 1), "the second leads")
    scene.apply("edge", {ZONE: "1"}, priority=7)
    scene.until(lambda: scene.nodes.told("op-a") == [("edge", 2)], "the second acts")
    scene.until_condition("edge", "Ready", "Unknown", "Progressing")
    before = versions(scene.wire)
    first.process.freeze(False)
    scene.until(lambda: first.process.pid is None, "the first ends by itself")
    assert first.process.stop() == 1
    assert versions(scene.wire) == before


def test_killed_again_and_again_it_converges(scene: Scene) -> None:
    scene.nodes.add(*(f"op-{number}" for number in range(6)), **{ZONE: "1"})
    for generation in range(1, 5):
        scene.apply("edge", {ZONE: "1"}, priority=generation)
        scene.wire.request("DELETE", LEASE)
        replica = scene.start()
        scene.until(partial(some_node_is_told, scene, generation), "it is in the middle")
        replica.process.kill()
    scene.wire.request("DELETE", LEASE)
    scene.start()
    for node in scene.nodes.names:
        scene.until_told(node, "edge")
    scene.until(lambda: not differing(scene, 4), "every node converges")
    scene.nodes.reply()
    scene.wait("edge")


def test_a_silent_node_holds_up_neither_ready_nor_a_deletion(impatient: Scene) -> None:
    scene = impatient
    scene.start()
    scene.nodes.add("op-a", "op-b", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.nodes.reply("op-a")
    scene.wait("edge")
    scene.until_condition("edge", "Degraded", "True", "NodeUnreachable")
    status = scene.get("edge")["status"]
    assert status["nodes"]["unreachable"] == 1
    assert [node["name"] for node in status["failingNodes"]] == ["op-b"]
    scene.delete("edge")
    scene.until_told("op-a")
    scene.nodes.reply("op-a")
    scene.until(lambda: not scene.exists("edge"), "edge is gone")


def test_the_api_server_away_for_a_while_is_survived(scene: Scene) -> None:
    replica = scene.start()
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    before = len(replica.process.log.read_text())

    def notices() -> bool:
        said = replica.process.log.read_text()[before:]
        return replica.process.pid is None or "lease" in said

    scene.cluster.stop_api_server()
    try:
        # Longer than its lease: nobody can have taken it, and it must not act until it has it.
        scene.until(notices, "it notices")
    finally:
        scene.cluster.start_api_server()
    scene.apply("edge", {ZONE: "1"}, priority=7)

    def acts() -> bool:
        scene.revive()
        return scene.nodes.told("op-a") == [("edge", 2)]

    scene.until(acts, "it acts again")


def test_another_manager_of_the_object_is_no_churn(scene: Scene) -> None:
    scene.start()
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.nodes.reply()
    scene.wait("edge")
    label: Any = {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirect",
        "metadata": {"name": "edge", "labels": {"team": "net"}},
    }
    flags = ["--server-side", "--field-manager=gitops", "--force-conflicts", "-f", "-"]
    spec = scene.get("edge")["spec"]
    for _ in range(2):
        scene.cluster.kubectl("apply", *flags, input=json.dumps({**label, "spec": spec}))
    found = scene.get("edge")["metadata"]
    assert found["generation"] == 1
    assert found["finalizers"] == ["xdpredirect.io/cleanup"]
    assert scene.nodes.told("op-a") == [("edge", 1)]
    assert scene.nodes.spec("op-a")["revision"] == 1
