"""AF_XDP sockets on a node of a cluster: who holds them is in the status of the node object."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.agent_scene import FRAME, AgentScene, spec_to
from tests.cluster.nodes import Nodes
from tests.kernel.lab import Lab
from xdpredirect.errors import SocketRefused
from xdpredirect.xsk.client import XskSocket, connect

N = 100
HANDED = {
    "type": "Sockets",
    "sockets": {"queues": "0", "clients": [{"type": "Users", "users": ["0"]}]},
}


@pytest.fixture
def scene(nodes: Nodes, lab: Lab) -> Iterator[AgentScene]:
    made = AgentScene(nodes, lab)
    yield made
    made.node.agent.stop()
    made.remove()


def handing_out() -> dict[str, Any]:
    rule = {"name": "r", "match": {"all": True}, "action": HANDED}
    return {**spec_to("p1"), "rules": [rule]}


def directory(scene: AgentScene) -> Path:
    return scene.node.host.state_dir / "sockets"


def received(xsk: XskSocket, count: int) -> list[bytes]:
    """So many frames, or those that came until nothing did for a long time."""
    found: list[bytes] = []
    while len(found) < count and xsk.wait(20):
        found += xsk.receive()
    return found


def test_the_status_names_the_holder_and_the_way_of_the_frames(scene: AgentScene) -> None:
    scene.order({"edge": (1, handing_out())})
    scene.node.agent.start()
    scene.until(lambda: scene.condition()[1] == "Redirecting", "the spec runs")
    assert "sockets" not in scene.entry()
    with connect(directory(scene), "in") as xsk:
        scene.far["in"].send([FRAME] * N)
        assert received(xsk, N) == [FRAME] * N
        scene.until(lambda: "sockets" in scene.entry(), "the holder")
        (one,) = scene.entry()["sockets"]
        told = {name: one[name] for name in ("rule", "interface", "queue", "state", "mode", "user")}
        assert told == {
            "rule": "r",
            "interface": "in",
            "queue": 0,
            "state": "Held",
            "mode": "Copy",
            "user": 0,
        }
        # Withdrawn by the cluster: the client is told, and the status knows who has yet to close.
        scene.order({"edge": (2, spec_to("p1"))})
        with pytest.raises(SocketRefused, match="taken the queue back"):
            xsk.wait(60)
    scene.until(lambda: "sockets" not in scene.entry(), "the end of the socket")
    assert scene.condition()[1] == "Redirecting"
    scene.order({})
    scene.until(lambda: scene.program() == 0, "detached")
