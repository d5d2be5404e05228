"""Clocks that are wrong by an hour, each in its own way: of both replicas, and of the agents.
Nothing that decides anything compares the clocks of two machines.

The clock of the API server is right: only what is relative to it can matter to us.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cluster.clock import skewed, sweep
from tests.cluster.cluster import Cluster
from tests.cluster.fleet import PLURAL, Fleet, redirect
from tests.cluster.nodes import Nodes
from tests.cluster.operator_process import Operator
from tests.cluster.operator_scene import LEASE, NEVER, Scene
from tests.cluster.replies import versions
from tests.cluster.test_operator import ZONE
from tests.cluster.test_operator_life import passes
from tests.kernel.lab import Lab
from tests.kernel.switch import udp

AHEAD, BEHIND = "+60m", "-60m"
RENEWALS = 3


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    yield
    sweep()


@pytest.fixture
def impatient(installed: Cluster) -> Iterator[Scene]:
    made = Scene(installed, silence="3")
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("offset", [AHEAD, BEHIND])
def test_the_bound_of_a_silent_node_is_counted_by_one_clock(impatient: Scene, offset: str) -> None:
    scene = impatient
    start(scene, offset)
    scene.nodes.add("op-a", "op-b", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.nodes.reply("op-a")
    scene.until_condition("edge", "Degraded", "True", "NodeUnreachable")

    def silent() -> list[str]:
        return [node["name"] for node in scene.get("edge")["status"].get("failingNodes", [])]

    scene.until(lambda: silent() == ["op-b"], "who answered is not silent")
    scene.delete("edge")
    scene.until_told("op-a")
    scene.nodes.reply("op-a")
    scene.until(lambda: not scene.exists("edge"), "edge is gone")


def start(scene: Scene, offset: str) -> Operator:
    """One more replica, with a clock like this."""
    name = f"operator-{len(scene.replicas)}"
    operator = Operator(scene.cluster, scene._lab, name, *scene._options)
    operator.process = skewed(operator.process, offset)
    scene.replicas.append(operator)
    operator.process.start()
    return operator


def test_what_one_clock_said_another_does_not_say_again(installed: Cluster) -> None:
    """The time of a condition is that of its last transition, by the clock of who saw it: a leader
    with another clock writes nothing, and gives its own time only to what it changes."""
    scene = Scene(installed)
    try:
        first = start(scene, AHEAD)
        scene.nodes.add("op-a", **{ZONE: "1"})
        scene.apply("edge", {ZONE: "1"})
        scene.until_told("op-a", "edge")
        scene.nodes.reply()
        scene.wait("edge")
        said, before = transitions(scene), versions(scene.wire)
        assert {hours(at) for at in said.values()} == {1}

        assert first.process.stop() == 0
        start(scene, BEHIND)
        scene.until(lambda: passes(scene, 1), "the second leads and is done")
        assert versions(scene.wire) == before

        scene.apply("edge", {ZONE: "1"}, priority=7)
        scene.until(lambda: scene.nodes.told("op-a") == [("edge", 2)], "the change is told")
        scene.until_condition("edge", "Ready", "Unknown", "Progressing")
        scene.nodes.reply()
        scene.wait("edge")
        assert {kind: hours(at) for kind, at in transitions(scene).items()} == {
            "Ready": -1,
            "Reconciling": -1,
            "Stalled": 1,
            "Degraded": 1,
        }
        assert transitions(scene)["Stalled"] == said["Stalled"]
    finally:
        scene.close()


def transitions(scene: Scene) -> dict[str, str]:
    """When the conditions of edge changed last, as they say."""
    listed = scene.get("edge")["status"]["conditions"]
    return {item["type"]: item["lastTransitionTime"] for item in listed}


def hours(at: str) -> int:
    """By how many a time is off, as seen within half an hour."""
    return round((moment(at) - datetime.now(UTC)).total_seconds() / 3600)


def moment(at: str) -> datetime:
    return datetime.fromisoformat(at.replace("Z", "+00:00"))


def test_replicas_and_agents_that_disagree_about_the_time(nodes: Nodes, lab: Lab) -> None:
    options = ("--silence-seconds", NEVER)
    fleet = Fleet(nodes, lab, "node-a", "node-b", options=options)
    first, other = fleet.operator, Operator(fleet.cluster, lab, "replica", *options)
    first.process, other.process = skewed(first.process, AHEAD), skewed(other.process, BEHIND)
    for name, offset in (("node-a", BEHIND), ("node-b", AHEAD)):
        node = fleet.stations[name].node
        node.agent = skewed(node.agent, offset)
    try:
        with fleet:
            disagree(fleet, other)
    finally:
        other.process.stop()


def disagree(fleet: Fleet, other: Operator) -> None:
    b, frames = fleet.stations["node-b"], [udp(7)] * 3
    fleet.apply(redirect("edge", to="p1"))
    fleet.wait_ready("edge")
    assert ahead(lease(fleet)), "the leader's clock is wrong"
    other.process.start()

    # A node that has not answered holds a deletion, under either clock.
    b.node.agent.freeze(True)
    fleet.cluster.kubectl("delete", "xdpredirect", "edge", "--wait=false")
    fleet.until(lambda: "node-b" in waits_for(fleet), "the first waits for node-b", "edge")
    fleet.operator.process.kill()
    fleet.until(lambda: holder(fleet).startswith("replica_"), "the other takes over", "edge")
    fleet.operator.process.start()
    renewed(fleet)
    assert holder(fleet).startswith("replica_"), "its lease of an hour ago is still good"
    assert "node-b" in waits_for(fleet)
    b.node.agent.freeze(False)
    fleet.until(lambda: "edge" not in fleet.wire.names(PLURAL), "node-b lets go", "edge")
    b.deliver(frames, stack=3)

    fleet.apply(redirect("edge", to="p2"))
    fleet.wait_ready("edge")
    b.deliver(frames, p2=3)
    other.process.kill()
    fleet.until(lambda: holder(fleet).startswith("operator_"), "the first leads again", "edge")
    fleet.apply(redirect("edge", to="p1"))
    fleet.until(
        lambda: fleet.condition("edge").get("observedGeneration") == 2, "it is acted on", "edge"
    )
    fleet.wait_ready("edge")
    b.deliver(frames, p1=3)


def waits_for(fleet: Fleet) -> str:
    """What Ready says; for an object that is being deleted, which nodes hold it."""
    return str(fleet.condition("edge").get("message", ""))


def lease(fleet: Fleet) -> Mapping[str, Any]:
    answer = fleet.wire.request("GET", LEASE)
    return answer.body if answer.status == 200 else {"spec": {}, "metadata": {}}


def holder(fleet: Fleet) -> str:
    return str(lease(fleet)["spec"].get("holderIdentity", ""))


def renewed(fleet: Fleet) -> None:
    """Waits until whoever holds the lease has renewed it some times."""
    for _ in range(RENEWALS):
        version = lease(fleet)["metadata"].get("resourceVersion")
        fleet.until(
            lambda: lease(fleet)["metadata"].get("resourceVersion") != version,  # noqa: B023
            "the lease is renewed",
            "edge",
        )


def ahead(found: Mapping[str, Any]) -> bool:
    """Whether a lease was renewed in the future."""
    return hours(found["spec"]["renewTime"]) > 0
