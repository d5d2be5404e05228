"""What breaks between agent and API server never changes the datapath, and is made up for.

Connections that fall silent are in test_failures_silence.py.
"""

import json
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.cluster.agent_scene import AgentScene, spec_to
from tests.cluster.installed import AGENT, SYSTEM, agent_pod
from tests.cluster.nodes import XDPREDIRECT, Nodes
from tests.cluster.process import Process
from tests.cluster.proxy import Proxy
from tests.kernel.lab import Lab


@pytest.fixture
def scene(nodes: Nodes, lab: Lab) -> Iterator[AgentScene]:
    made = AgentScene(nodes, lab)
    made.order({"edge": (1, spec_to("p1"))})
    yield made
    made.node.agent.stop()
    made.order({})
    made.node.agent.start()
    made.until(lambda: made.program() == 0, "the node is emptied")
    made.node.agent.stop()
    made.remove()


def running(scene: AgentScene) -> int:
    """Starts the agent; the id of its program once the status says that it runs."""
    scene.node.agent.start()
    scene.until(lambda: scene.condition()[1] == "Redirecting", "the first spec runs")
    return scene.program()


def through(scene: AgentScene, proxy: Proxy, token: Path | None = None) -> None:
    """From its next start on the agent speaks through the proxy; `token` is a file to read."""
    config = json.loads(scene.node.kubeconfig.read_text())
    if token is not None:
        config["users"][0]["user"] = {"tokenFile": str(token)}
    path = scene.node.host.state_dir.parent / "proxy.kubeconfig"
    path.write_text(json.dumps(config))
    proxy.guard(path)
    node = scene.node
    argv = [*XDPREDIRECT, "agent", "--node", node.name, "--kubeconfig", str(path)]
    node.agent = Process(node.host, argv, node.agent.log, node.host.environment)


@pytest.fixture
def proxy(scene: AgentScene) -> Iterator[Proxy]:
    direct = scene.node.agent
    with Proxy(scene.cluster) as made:
        through(scene, made)
        yield made
        scene.node.agent.stop()
    scene.node.agent = direct


def test_the_api_server_dies_and_comes_back(scene: AgentScene) -> None:
    program = running(scene)
    scene.cluster.stop_api_server()
    try:
        assert scene.leads_to("p1", 10)
        assert scene.program() == program
    finally:
        scene.cluster.start_api_server()
    scene.order({"edge": (2, spec_to("p2"))})
    scene.until(lambda: scene.leads_to("p2"), "the change is followed")
    scene.until(lambda: scene.entry()["appliedGeneration"] == 2, "and reported")


def test_an_agent_that_is_killed_and_started_without_an_api_server(scene: AgentScene) -> None:
    program = running(scene)
    scene.cluster.stop_api_server()
    try:
        scene.node.agent.kill()
        assert scene.leads_to("p1", 10)
        scene.node.agent.start()
        record = scene.node.host.state_dir / "status.json"
        before = record.stat().st_mtime_ns
        scene.node.host.ip("link", "set", "p2", "down")
        scene.node.host.ip("link", "set", "p2", "up")
        scene.until(lambda: record.stat().st_mtime_ns != before, "a pass of the new agent")
        assert scene.program() == program
        assert scene.leads_to("p1", 10)

        # And a reboot: everything that was pinned is gone, files are what there is.
        scene.node.agent.kill()
        unpin(scene)
        scene.until(lambda: scene.program() == 0, "nothing is attached")
        scene.node.agent.start()
        scene.until(lambda: scene.leads_to("p1"), "the last spec runs")
    finally:
        scene.cluster.start_api_server()
    scene.order({"edge": (2, spec_to("p2"))})
    scene.until(lambda: scene.leads_to("p2"), "the change is followed")


def unpin(scene: AgentScene) -> None:
    """Takes away what a reboot takes away."""
    for path in (scene.node.host.bpffs / "xdpredirect").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_cut_connection_loses_no_change(scene: AgentScene, proxy: Proxy) -> None:
    program = running(scene)
    for turn in range(5):
        assert proxy.cut() >= 1
        port = ("p2", "p1")[turn % 2]
        scene.order({"edge": (turn + 2, spec_to(port))})
        scene.until(partial(scene.leads_to, port), f"change {turn} is followed")
    assert scene.program() == program

    # Away for longer: refused again and again, a change and its undoing meanwhile.
    proxy.refuse(True)
    proxy.cut()
    scene.order({"edge": (7, spec_to("p1"))})
    scene.order({"edge": (8, spec_to("p2")), "second": (1, spec_to("p1", priority=900))})
    assert scene.leads_to("p2", 10)
    proxy.refuse(False)
    scene.until(lambda: scene.entry()["appliedGeneration"] == 8, "the last change is reported")
    scene.until(lambda: scene.entry("second") != {}, "with everything that came with it")


def test_a_token_that_is_no_longer_good_is_read_again(scene: AgentScene, proxy: Proxy) -> None:
    cluster, name = scene.cluster, scene.name
    token = scene.node.host.state_dir.parent / "token"
    token.write_text(scene.node.token)
    through(scene, proxy, token)
    running(scene)
    # A bound token dies with its pod; its successor's is another.
    pod = f"agent-{name}"
    cluster.kubectl("delete", "pod", "-n", SYSTEM, pod, "--force", "--grace-period=0")
    cluster.create([agent_pod(name)])
    renewed = cluster.token_for(AGENT, SYSTEM, pod)
    cluster.kubeconfig_for(f"agent-{name}", renewed)

    def refused() -> bool:
        # The API server remembers for some seconds that a token was good.
        proxy.cut()
        time.sleep(0.5)
        return "401" in scene.node.agent.tail()

    scene.until(refused, "the old token is refused")
    scene.order({"edge": (2, spec_to("p2"))})
    token.with_suffix(".new").write_text(renewed)
    token.with_suffix(".new").rename(token)
    scene.until(lambda: scene.leads_to("p2"), "the change is followed")
    scene.until(lambda: scene.entry()["appliedGeneration"] == 2, "and reported")
