"""What the agent costs and what it leaves alone: writes, memory, foreign programs, conflicts."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.agent_scene import FRAME, AgentScene, spec_to
from tests.cluster.nodes import Nodes
from tests.kernel.lab import Lab

# The house's budget for an idle agent.
MEMORY_KIB = 40 << 10


@pytest.fixture
def scene(nodes: Nodes, lab: Lab) -> Iterator[AgentScene]:
    made = AgentScene(nodes, lab)
    yield made
    made.node.agent.stop()
    made.remove()


def hurried(scene: AgentScene, **variables: str) -> Path:
    """The agent makes a pass twice a second instead of every 30 seconds; returns what it writes
    after each."""
    scene.node.equip(XDPREDIRECT_RESYNC_SECONDS="0.5", **variables)
    return scene.node.host.state_dir / "status.json"


def passes(scene: AgentScene, record: Path, number: int) -> None:
    """Waits for so many further passes."""
    for _ in range(number):
        scene.until(partial(_another, record, record.stat().st_mtime_ns), "another pass")


def _another(record: Path, before: int) -> bool:
    return record.stat().st_mtime_ns != before


def version(scene: AgentScene) -> Any:
    return scene.stored()["metadata"]["resourceVersion"]


def test_who_has_nothing_new_to_say_writes_nothing(scene: AgentScene) -> None:
    record = hurried(scene)
    scene.order({"edge": (1, spec_to("p1"))})
    scene.node.agent.start()
    scene.until(lambda: scene.condition()[1] == "Redirecting", "the spec runs")
    passes(scene, record, 3)
    before = version(scene)
    passes(scene, record, 6)
    assert version(scene) == before
    # Nor does an agent that is started again, whether it ended in order or not.
    for end in (scene.node.agent.stop, scene.node.agent.kill):
        end()
        scene.node.agent.start()
        passes(scene, record, 6)
        assert version(scene) == before
    scene.order({})
    scene.until(lambda: scene.program() == 0, "detached")


def test_counters_come_late_but_come(scene: AgentScene) -> None:
    record = hurried(scene, XDPREDIRECT_REPORT_SECONDS="2")
    scene.order({"edge": (1, spec_to("p1"))})
    scene.node.agent.start()
    scene.until(lambda: scene.condition()[1] == "Redirecting", "the spec runs")
    passes(scene, record, 2)
    with scene.far["p1"].counter(lambda frame: frame == FRAME) as arrived:
        scene.far["in"].send([FRAME] * 500)
        arrived.exactly(500)
    scene.until(lambda: scene.entry()["traffic"]["redirectedPackets"] == 500, "they are counted")
    entry = scene.entry()
    assert entry["rules"] == [{"name": "r", "packets": 500, "missedPackets": 0, "lostPackets": 0}]
    scene.order({})
    scene.until(lambda: scene.program() == 0, "detached")


def test_it_stays_small(scene: AgentScene) -> None:
    scene.order({"edge": (1, spec_to("p1"))})
    scene.node.agent.start()
    scene.until(lambda: scene.condition()[1] == "Redirecting", "the spec runs")
    lines = Path(f"/proc/{scene.node.agent.pid}/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    assert resident <= MEMORY_KIB
    scene.order({})
    scene.until(lambda: scene.program() == 0, "detached")


def test_lost_frames_are_reported_with_their_cause(scene: AgentScene) -> None:
    record = hurried(scene)
    scene.order({"edge": (1, spec_to("p1"))})
    scene.node.agent.start()
    scene.until(lambda: scene.condition()[1] == "Redirecting", "the spec runs")
    scene.node.host.ip("link", "set", "p1", "down")
    scene.far["in"].send([FRAME] * 50)
    passes(scene, record, 1)
    scene.until(lambda: scene.entry().get("losses"), "the loss is reported")
    (loss,) = scene.entry()["losses"]
    assert (loss["reason"], loss["errno"], loss["target"]) == ("TargetDown", "ENETDOWN", "p1")
    assert "ip link set p1 up" in loss["hint"]
    assert scene.condition("Degraded")[0] == "True"
    scene.order({})
    scene.until(lambda: scene.program() == 0, "detached")


def test_of_two_in_conflict_the_winner_is_named(scene: AgentScene) -> None:
    first = spec_to("p1", priority=1, frags="Required")
    second = spec_to("p2", priority=2, frags="Disabled")
    scene.order({"first": (1, first), "second": (1, second)})
    scene.node.agent.start()
    scene.until(lambda: scene.entry("second").get("state") == "Conflicted", "the conflict")
    assert "first has precedence on in" in scene.entry("second")["message"]
    assert scene.entry("first")["state"] == "Active"
    assert scene.condition() == ("False", "Conflicted")
    scene.order({"second": (1, second)})
    scene.until(lambda: scene.entry("second")["state"] == "Active", "the conflict is over")
    assert scene.entry("first") == {}
    scene.order({})
    scene.until(lambda: scene.program() == 0, "detached")
