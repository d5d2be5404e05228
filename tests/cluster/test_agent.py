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
