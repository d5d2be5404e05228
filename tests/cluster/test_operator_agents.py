"""The agents' DaemonSet, with the real DaemonSet controller and simulated kubelets."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.installed import SYSTEM
from tests.cluster.kwok import Kwok
from tests.cluster.operator_scene import Scene
from tests.cluster.test_operator import ZONE

NAMES = ("agents-a", "agents-b", "agents-c")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What the agents are to be; a test may write it anew."""
    made = tmp_path / "agents.yaml"
    made.write_text(yaml.safe_dump({"image": "registry.example/agent:1"}))
    return made


@pytest.fixture
def scene(installed: Cluster, kwok: Kwok, file: Path) -> Iterator[Scene]:
    kwok.register(NAMES[:2], {ZONE: "1"})
    kwok.register(NAMES[2:], {ZONE: "2"})
    made = Scene(installed, "--agents", str(file))
    made.nodes.names += NAMES
    try:
        made.start()
        yield made
    finally:
        made.close()
        installed.kubectl("delete", "daemonset", "-n", SYSTEM, "--all")
        kwok.remove(NAMES)


def running(scene: Scene) -> dict[str, str]:
    """Image of the agent's pod on each node that has one which is not about to end."""
    listed = scene.cluster.kubectl("get", "pods", "-n", SYSTEM, "-o", "json")
    pods: list[dict[str, Any]] = json.loads(listed)["items"]
    return {
        pod["spec"]["nodeName"]: pod["spec"]["containers"][0]["image"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"] and "nodeName" in pod["spec"]
    }


def test_pods_run_where_an_object_is_and_leave_after_it(scene: Scene) -> None:
    scene.apply("edge", {ZONE: "1"})
    scene.until(lambda: set(running(scene)) == {"agents-a", "agents-b"}, "two nodes have an agent")
    scene.nodes.reply()
    scene.wait("edge")

    scene.cluster.kubectl("label", "node", "agents-a", f"{ZONE}=3", "--overwrite")
    scene.until_told("agents-a")
    assert "agents-a" in running(scene), "it has not let go yet"
    scene.nodes.reply("agents-a")
    scene.until(lambda: set(running(scene)) == {"agents-b"}, "the agent that let go is ended")

    scene.apply("edge", {})
    everywhere = {"agents-a", "agents-b", "agents-c"}
    scene.until(lambda: everywhere <= set(running(scene)), "every node has an agent")


def test_another_image_rolls_out_and_a_change_of_objects_does_not(scene: Scene, file: Path) -> None:
    scene.apply("edge", {ZONE: "1"})
    scene.until(lambda: len(running(scene)) == 2, "two nodes have an agent")
    path = f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets/xdp-redirect-agent"
    before = scene.wire.request("GET", path).body["metadata"]["generation"]
    scene.apply("edge", {})
    scene.until(lambda: "agents-c" in running(scene), "the third has one, too")
    assert scene.wire.request("GET", path).body["metadata"]["generation"] == before

    file.write_text(yaml.safe_dump({"image": "registry.example/agent:2"}))
    scene.replicas[0].process.stop()
    scene.start()
    scene.until(
        lambda: set(running(scene).values()) == {"registry.example/agent:2"},
        "all run the new one",
        seconds=400,  # One after the other, and each has to be ready for a while.
    )


def test_a_daemon_set_that_somebody_deletes_or_edits_comes_back(scene: Scene) -> None:
    path = f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets/xdp-redirect-agent"

    def host_network() -> Any:
        answer = scene.wire.request("GET", path)
        return answer.status == 200 and answer.body["spec"]["template"]["spec"].get("hostNetwork")

    scene.until(host_network, "it is there")
    edited = {"spec": {"template": {"spec": {"hostNetwork": False}}}}
    answer = scene.wire.request("PATCH", path, edited, "application/strategic-merge-patch+json")
    assert answer.status == 200, answer
    scene.until(host_network, "it is as before")
    assert scene.wire.request("DELETE", path).status == 200
    scene.until(host_network, "it is there again")
