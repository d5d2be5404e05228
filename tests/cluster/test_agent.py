"""The real agent against the real API server: what it is told, it does and reports."""

from collections.abc import Iterator

import pytest

from tests.cluster.agent_scene import AgentScene, spec_to
from tests.cluster.nodes import Nodes
from tests.kernel.lab import Lab


@pytest.fixture
def scene(nodes: Nodes, lab: Lab) -> Iterator[AgentScene]:
    made = AgentScene(nodes, lab)
    yield made
    made.node.agent.stop()
    made.remove()


def test_from_the_node_object_to_frames_and_back_to_a_status(scene: AgentScene) -> None:
    written = scene.order({"edge": (4, spec_to("p1"))})
    scene.node.agent.start()
    scene.until(lambda: scene.leads_to("p1"), "frames come out of p1")
    scene.until(lambda: scene.condition() == ("True", "Redirecting"), "the node reports Ready")
    status = scene.status()
    assert status["observedRevision"] == written["spec"]["revision"]
    entry = scene.entry()
    assert (entry["uid"], entry["observedGeneration"], entry["appliedGeneration"]) == (
        "uid-edge", 4, 4,
    )  # fmt: skip
    assert entry["state"] == "Active"
    assert entry["interfaces"] == [
        {
            "name": "in",
            "state": "Attached",
            "mode": "Native",
            "frags": entry["interfaces"][0]["frags"],
        }
    ]
    assert entry["interfaceCounts"]["native"] == 1

    scene.order({"edge": (5, spec_to("p2"))})
    scene.until(lambda: scene.leads_to("p2"), "frames come out of p2 after the change")
    scene.until(lambda: scene.entry()["appliedGeneration"] == 5, "generation 5 is reported")

    scene.order({})
    scene.until(lambda: scene.program() == 0, "an emptied spec detaches")
    scene.until(lambda: scene.condition() == ("True", "NothingWanted"), "that is reported")
    assert scene.status()["redirects"] == []
    assert scene.node.host.pins() == []


def test_a_spec_that_cannot_be_followed_changes_nothing(scene: AgentScene) -> None:
    scene.order({"edge": (1, spec_to("p1"))})
    scene.node.agent.start()
    scene.until(lambda: scene.condition()[1] == "Redirecting", "the first spec runs")
    program = scene.program()

    written = scene.order({"edge": (2, spec_to("p2"))}, requiredFeatures=["match/novel"])
    scene.until(lambda: scene.condition() == ("False", "AgentTooOld"), "the agent says so")
    assert scene.condition("Stalled")[0] == "True"
    assert scene.observed(written)
    assert (scene.entry()["appliedGeneration"], scene.entry()["state"]) == (1, "Active")
    assert scene.program() == program
    assert scene.leads_to("p1", 10)

    scene.order({"edge": (3, spec_to("p2"))})
    scene.until(lambda: scene.condition()[1] == "Redirecting", "the next spec is followed")
    assert scene.leads_to("p2", 10)


def test_ready_is_an_agent_that_acts_on_what_is_wanted(scene: AgentScene) -> None:
    scene.node.agent.start()
    scene.until(scene.ready, "without an object there is nothing to do")
    missing = spec_to("p1", interfaces=[{"names": ["absent"]}])
    scene.order({"edge": (1, missing)})
    scene.until(lambda: scene.condition()[1] == "NoInterface", "an object selects no interface")
    assert scene.ready(), "that is nothing an update of the agents should wait for"

    scene.order({"edge": (2, missing)}, requiredFeatures=["match/novel"])
    scene.until(lambda: scene.condition()[1] == "AgentTooOld", "the agent is too old")
    assert not scene.ready()
    scene.order({})
    scene.until(scene.ready, "the next spec is followed")
    scene.node.agent.stop()
    assert not scene.ready()


def test_absence_detaches_nothing_and_a_new_object_is_followed(scene: AgentScene) -> None:
    scene.order({"edge": (1, spec_to("p1"))})
    scene.node.agent.start()
    scene.until(lambda: scene.condition()[1] == "Redirecting", "the spec runs")
    scene.remove()
    scene.node.agent.stop()
    scene.node.agent.start()
    assert scene.leads_to("p1", 10)
    # Its successor counts from 1 again, and so do generations.
    written = scene.apply(
        {"revision": 1, "requiredFeatures": [], "addressSets": [],
         "redirects": [{"name": "edge", "uid": "other", "generation": 1, "spec": spec_to("p2")}]}
    )  # fmt: skip
    scene.until(lambda: scene.entry().get("uid") == "other", "the new object has a status")
    scene.until(lambda: scene.entry()["state"] == "Active", "the new object runs")
    assert scene.observed(written)
    assert scene.leads_to("p2", 10)


def test_address_sets_are_followed_while_they_are_needed(scene: AgentScene) -> None:
    scene.put_set("own", "233.252.0.0/24")
    scene.put_set("foreign", "10.9.0.0/16")
    narrowed = spec_to("p1")
    narrowed["rules"][0]["match"] = {"sourceAddressSets": [{"name": "own"}]}
    scene.order({"edge": (1, narrowed)})
    scene.node.agent.start()
    scene.until(lambda: scene.condition()[1] == "Redirecting", "the spec runs")
    program = scene.program()
    assert not scene.leads_to("p1")
    kept = {path.name for path in (scene.node.host.state_dir / "node").iterdir()}
    assert kept == {"xdpaddressset.own.json", "xdpredirect.edge.json"}

    scene.put_set("own", "233.252.0.0/24", scene.source)
    scene.until(lambda: scene.leads_to("p1"), "frames match the set that has changed")
    assert scene.program() == program, "a set that changes is no reason for another program"

    scene.delete_set("own")
    scene.until(
        lambda: scene.entry().get("degraded", {}).get("reason") == "AddressSetMissing",
        "the missing set is reported",
    )
    assert scene.entry()["state"] == "Active"
    assert scene.leads_to("p1", 10), "its last content stays in use"

    # A second name: now the metadata of all sets pass by, and two sets are read.
    narrowed["rules"][0]["match"]["sourceAddressSets"].append({"name": "foreign"})
    scene.put_set("own", scene.source)
    scene.order({"edge": (2, narrowed)})
    scene.until(lambda: scene.entry()["appliedGeneration"] == 2, "the second generation runs")
    scene.until(lambda: "degraded" not in scene.entry(), "both sets are there")
    assert scene.leads_to("p1", 10)

    scene.put_set("own", "233.252.0.0/24")
    scene.until(lambda: not scene.leads_to("p1"), "a change of one of several is followed")
    scene.delete_set("own")
    scene.until(
        lambda: scene.entry().get("degraded", {}).get("reason") == "AddressSetMissing",
        "one of several that is missing is reported",
    )
    for name in ("own", "foreign"):
        scene.delete_set(name)
