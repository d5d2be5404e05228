"""The driver of claims with a real kubelet and containerd: no image, no agent, no frame.

tests/cluster/test_claims.py has the rest of the way, without these two. Here the driver runs in the
test, at the directories of a node.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import ROOT
from tests.cluster.waiting import until
from tests.image.pause_image import NAME as PAUSE
from tests.node.machine import Machine
from tests.node.machines import Machines
from xdpredirect.cluster.api import Api
from xdpredirect.cluster.resource import NODE_OBJECTS, Document, Resource
from xdpredirect.dra import driver as driver_module
from xdpredirect.dra.devices import DRIVER, Device
from xdpredirect.dra.driver import Driver
from xdpredirect.dra.publisher import Publisher
from xdpredirect.dra.server import Server
from xdpredirect.dra.store import ClaimStore
from xdpredirect.xsk.grants import CopyMode, Grant

PLUGINS, SOCKETS = Path("/var/lib/kubelet/plugins_registry"), Path("/run/xdpredirect/sockets")
DEVICE = Device(interface="in", queue=0, redirect="ids")
NOBODY = Grant("ids", "r", "in", 2, frozenset({0}), frozenset(), False, CopyMode.AUTO)
SPACE, TEMPLATE, POD = yaml.safe_load_all((ROOT / "examples/pods/claimant.yaml").read_text())


class WithoutCrds(Api):
    """Nothing of ours is installed, and so a Node has no XdpRedirectNode."""

    def get(self, resource: Resource, name: str) -> Document | None:
        return None if resource == NODE_OBJECTS else super().get(resource, name)


class Scene:
    """A node with one queue; `prepared` and `claims` are what the driver has."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.name, self.node = next(iter(machines.nodes.items()))
        # Not /var/run: a link in there would lead to the machine's own.
        self.cdi = self.inside("/run/cdi")
        self.sockets = self.inside(str(SOCKETS))
        self.sockets.mkdir(parents=True, exist_ok=True)
        (self.sockets / "marker").touch()
        self.api = api = WithoutCrds.connect(machines.kubeconfig, "test")
        self.store = ClaimStore(machines.directory / "claims.json", self.cdi, SOCKETS)
        path = PLUGINS / f"{DRIVER}.sock"
        self.driver = Driver(self.name, path, api, self.store, lambda: None)
        self.server = Server(self.inside(str(path)), self.driver.methods)
        self.publisher = Publisher(api, self.name)
        self.publisher.start()
        self.driver.update([DEVICE], [NOBODY])
        self.publisher.want([DEVICE])
        self.until(self.slices, "the slice")

    def inside(self, path: str) -> Path:
        return self.node.root / path.lstrip("/")

    def until(self, holds: Any, what: str) -> None:
        until(holds, what, 300, self.machines.evidence)

    def slices(self) -> list[str]:
        """Their UIDs."""
        form = "jsonpath={.items[*].metadata.uid}"
        return self.machines.kubectl("get", "resourceslices", "-o", form).split()

    def pod(self, form: str) -> str:
        return self.machines.kubectl("get", "pod", "-n", "ids", "claimant", "-o", form)

    def events(self) -> str:
        return self.machines.kubectl("get", "events", "-n", "ids", "-o", "jsonpath={..message}")

    def close(self) -> None:
        self.publisher.want([])
        self.until(lambda: self.slices() == [], "the slice is gone")
        self.publisher.stop()
        self.driver.stop()
        self.server.close()
        self.api.close()
        for path in self.sockets.iterdir():
            path.unlink()


@pytest.fixture
def scene(machine_cluster: Machines) -> Iterator[Scene]:
    kubectl = machine_cluster.kubectl
    kubectl("apply", "--server-side", "-k", str(ROOT / "config/claims"))
    kubectl("apply", "-f", "-", input=json.dumps(SPACE))
    kubectl("apply", "-f", "-", input=json.dumps(TEMPLATE))
    until(
        lambda: kubectl("get", "serviceaccounts", "-n", "ids", "-o", "name"),
        "the namespace has its service account",
    )
    made = Scene(machine_cluster)
    yield made
    kubectl("delete", "namespace", "ids")
    made.close()
    kubectl("delete", "-k", str(ROOT / "config/claims"))


def pod() -> dict[str, Any]:
    """That of the example, with a program that only waits."""
    made: dict[str, Any] = json.loads(json.dumps(POD))
    (container,) = made["spec"]["containers"]
    del container["args"]
    container |= {"image": PAUSE, "imagePullPolicy": "Never"}
    return made


def claimants(node: Machine) -> list[int]:
    """Pids of its program; that of the sandbox has another environment."""
    return [pid for pid in node.processes("/pause") if b"XDPREDIRECT_QUEUE=0" in environment(pid)]


def environment(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def test_a_restricted_pod_gets_the_directory_and_its_queue(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as impatient:
        impatient.setattr(driver_module, "PATIENCE_SECONDS", 0.0)
        scene.machines.kubectl("apply", "-f", "-", input=json.dumps(pod()))
        words = "no rule that hands out queue 0 of in has the pod among its clients"
        scene.until(lambda: words in scene.events(), "the pod's events say why it does not start")
    uid = scene.pod("jsonpath={.metadata.uid}")
    scene.driver.update([DEVICE], [replace(NOBODY, pods=frozenset({uid}))])
    scene.until(lambda: scene.pod("jsonpath={.status.phase}") == "Running", "the pod runs")

    (pid,) = claimants(scene.node)
    assert {b"XDPREDIRECT_INTERFACE=in", b"XDPREDIRECT_CLAIMED_IN_0=in 0"} <= {*environment(pid)}
    mounts = [line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
    (options,) = (words[5] for words in mounts if words[4] == str(SOCKETS))
    assert {"ro", "nosuid", "nodev", "noexec"} <= {*options.split(",")}
    # The directory and not what was in it: what an agent makes later is there as well.
    (scene.sockets / "later").touch()
    seen = Path(f"/proc/{pid}/root{SOCKETS}")
    assert sorted(path.name for path in seen.iterdir()) == ["later", "marker"]

    # kubelet starts again: it deletes the slices of its node, and finds the driver by itself.
    before = scene.slices()
    scene.node.kubelet.stop()
    scene.node.start_kubelet()
    scene.until(lambda: len(scene.slices()) == 1 and scene.slices() != before, "a new slice")
    scene.machines.wait_ready()
    assert claimants(scene.node) == [pid]

    scene.machines.kubectl("delete", "pod", "-n", "ids", "claimant")
    scene.until(lambda: not scene.driver.update([DEVICE], [NOBODY]), "the claim is given back")
    assert [*scene.cdi.iterdir()] == []
