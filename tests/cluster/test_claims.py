"""From a ResourceClaim to the first frame in its pod's memory: API server, scheduler, operator,
agent, kernel. kubelet's calls are the test's, and the pod is a process in its cgroup."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.fleet import Fleet, redirect
from tests.cluster.kubelet import Kubelet
from tests.cluster.nodes import Nodes
from tests.cluster.pod_objects import SPACE, Pods, cgroup_of, receiver
from tests.cluster.test_pods import sockets
from tests.cluster.waiting import until
from tests.cluster.wire import Wire
from tests.kernel.handing import frames, taken
from tests.kernel.lab import Lab

N = 500
NODE = "node-a"
RESOURCE = "/apis/resource.k8s.io/v1"
CLAIMS = f"{RESOURCE}/namespaces/{SPACE}/resourceclaims"
_, TEMPLATE, POD = yaml.safe_load_all((ROOT / "examples/pods/claimant.yaml").read_text())


def restricted(claims: bool) -> dict[str, Any]:
    """The spec of the example, or one that lacks nothing but the claim."""
    spec: dict[str, Any] = json.loads(json.dumps(POD["spec"]))
    if not claims:
        del spec["resourceClaims"], spec["containers"][0]["resources"]["claims"]
    return spec


@pytest.fixture
def pods(installed: Cluster) -> Iterator[Pods]:
    made = Pods(installed)
    template = {**TEMPLATE, "metadata": {"name": "queue", "namespace": SPACE}}
    level = "pod-security.kubernetes.io/enforce"
    installed.kubectl("label", "namespace", SPACE, f"{level}=restricted")
    installed.kubectl("apply", "--server-side", "-k", str(ROOT / "config/claims"))
    installed.kubectl("apply", "-f", "-", input=json.dumps(template))
    yield made
    made.close()
    # The namespace stays, and what is in it would be the next test's.
    installed.kubectl("delete", "resourceclaimtemplates,resourceclaims", "--all", "-n", SPACE)
    installed.kubectl("label", "namespace", SPACE, f"{level}-")
    installed.kubectl("delete", "-k", str(ROOT / "config/claims"))


@pytest.fixture
def fleet(nodes: Nodes, lab: Lab, pods: Pods) -> Iterator[Fleet]:
    """One node, whose agent finds the directories of kubelet and runtime in its own."""
    made = Fleet(nodes, lab, NODE)
    node = made.stations[NODE].node
    state = node.host.state_dir
    (state / "plugins").mkdir()
    node.equip(
        XDPREDIRECT_PLUGINS_DIR=str(state / "plugins"), XDPREDIRECT_CDI_DIR=str(state / "cdi")
    )
    with made:
        yield made


class Scene:
    """One queue, a pod that claims it, and one that has the same rights without a claim."""

    def __init__(self, fleet: Fleet, lab: Lab, pods: Pods, wire: Wire) -> None:
        self.fleet, self.pods, self.wire = fleet, pods, wire
        self.station = fleet.stations[NODE]
        self.state = self.station.node.host.state_dir
        self.endpoint = self.state / "plugins" / "xdpredirect.io.sock"
        self.client = lab.host("client")
        fleet.apply(redirect("ids", to="p1", rules=sockets(app="ids")))
        fleet.wait_ready("ids")
        fleet.until(lambda: self.offered() == ["in-0"], "the queue is published", "ids")
        self.rival = pods.add("rival", NODE, **restricted(claims=False))
        # The scheduler finds the node.
        self.claimant = pods.add("claimant", "", **restricted(claims=True))
        fleet.until(lambda: self.allocated("claimant") == ["in-0"], "the allocation", "ids")
        self.kubelet = Kubelet(self.endpoint)

    def slices(self) -> list[dict[str, Any]]:
        return list(self.wire.request("GET", f"{RESOURCE}/resourceslices").body["items"])

    def offered(self) -> list[str]:
        return [device["name"] for item in self.slices() for device in item["spec"]["devices"]]

    def claim(self, pod: str) -> dict[str, Any]:
        """That which the controller made of the template."""
        items = self.wire.request("GET", CLAIMS).body["items"]
        return next((i for i in items if i["metadata"]["name"].startswith(f"{pod}-")), {})

    def allocated(self, pod: str) -> list[str]:
        allocation = self.claim(pod).get("status", {}).get("allocation", {})
        return [result["device"] for result in allocation.get("devices", {}).get("results", [])]

    def reference(self) -> tuple[str, str, str]:
        metadata = self.claim("claimant")["metadata"]
        return metadata["namespace"], metadata["name"], metadata["uid"]

    def documents(self) -> list[dict[str, Any]]:
        """What the container runtime reads."""
        return [json.loads(path.read_text()) for path in (self.state / "cdi").iterdir()]

    @contextmanager
    def receiver(self, uid: str, *words: str) -> Iterator[Popen[str]]:
        """A process of a pod."""
        sockets_dir = self.state / "sockets"
        with cgroup_of(uid) as cgroup, receiver(self.client, sockets_dir, cgroup, *words) as made:
            yield made

    def output(self, uid: str) -> str:
        """Of one that is refused."""
        with self.receiver(uid) as process:
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 1, output
        return str(output)

    def close(self) -> None:
        self.kubelet.close()
        self.fleet.delete("ids")
        until(lambda: self.offered() == [], "nothing is offered any more")


@pytest.fixture
def scene(fleet: Fleet, lab: Lab, pods: Pods, wire: Wire) -> Iterator[Scene]:
    made = Scene(fleet, lab, pods, wire)
    yield made
    made.close()


def test_a_restricted_pod_receives_on_the_queue_that_it_claimed(scene: Scene) -> None:
    endpoint = str(scene.endpoint)
    assert scene.kubelet.register() == ["DRAPlugin", "xdpredirect.io", endpoint, "v1.DRAPlugin"]
    (published,) = scene.slices()
    node = scene.wire.request("GET", f"/api/v1/nodes/{NODE}").body["metadata"]["uid"]
    assert [owner["uid"] for owner in published["metadata"]["ownerReferences"]] == [node]
    # There is one queue, and it is allocated.
    scene.pods.add("second", "", **restricted(claims=True))

    with scene.receiver(scene.rival) as process:
        taken(process)
        devices, error = scene.kubelet.prepare(*scene.reference())
        output, _ = process.communicate(timeout=60)
    assert "(Withdrawn)" in output, "who holds a queue without a claim has to give it back"
    assert (devices, error) == ([f"xdpredirect.io/queue={scene.reference()[2]}-in-0"], "")
    ((device,),) = (document["devices"] for document in scene.documents())
    assert f"xdpredirect.io/queue={device['name']}" == devices[0]
    (mount,) = device["containerEdits"]["mounts"]
    assert mount["hostPath"] == str(scene.state / "sockets")

    with scene.receiver(scene.claimant, "--count", str(N)) as process:
        taken(process)
        sent = frames(N)
        scene.station.far["in"].send(sent)
        output, _ = process.communicate(timeout=60)
    *lines, last = output.splitlines()
    assert lines == [f"{len(frame)} {frame.hex()}" for frame in sent]
    assert last.startswith(f"{N} frames; lost: 0 ")
    assert "(NotGranted)" in scene.output(scene.rival)
    assert scene.allocated("second") == []

    scene.kubelet.unprepare(*scene.reference())
    assert scene.documents() == []
    scene.fleet.until(lambda: _takes(scene, scene.rival), "the queue is for all of them", "ids")


def test_what_was_prepared_outlives_the_agent(scene: Scene) -> None:
    assert scene.kubelet.prepare(*scene.reference())[1] == ""
    scene.kubelet.close()
    scene.station.node.agent.kill()
    before = scene.documents()
    scene.station.node.agent.start()
    scene.fleet.until(lambda: _answers(scene.endpoint), "the next driver", "ids")
    scene.kubelet = Kubelet(scene.endpoint)
    assert "(NotGranted)" in scene.output(scene.rival)
    with scene.receiver(scene.claimant) as process:
        taken(process)
    # As after a restart of kubelet.
    assert scene.kubelet.prepare(*scene.reference())[1] == ""
    assert scene.documents() == before
    # kubelet deletes the slices of its node when it starts.
    for item in scene.slices():
        path = f"{RESOURCE}/resourceslices/{item['metadata']['name']}"
        assert scene.wire.request("DELETE", path).status == 200
    scene.fleet.until(lambda: scene.offered() == ["in-0"], "they are published again", "ids")
    scene.kubelet.unprepare(*scene.reference())


def _takes(scene: Scene, uid: str) -> bool:
    with scene.receiver(uid, "--count", "1") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if line.startswith("receiving"):
            process.terminate()
            return True
    return False


def _answers(endpoint: Path) -> bool:
    try:
        Kubelet(endpoint).close()
    except OSError:
        return False
    return True
