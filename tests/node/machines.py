"""The whole cluster: a control plane, nodes with real kubelets, and what a user has: kubectl, helm.

with Machines("node-1", "node-2") as machines:
    machines.kubectl("get", "nodes")
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType

from tests.cluster.binaries.families import path
from tests.cluster.cluster import Cluster
from tests.cluster.waiting import until
from tests.image.pause_image import NAME as PAUSE
from tests.image.pause_image import pause_image
from tests.node import processes
from tests.node.machine import Machine

PODS = "10.244.{number}.0/24"
READY_SECONDS = 120.0
HELM_SECONDS = 300.0


class Machines:
    """`nodes` by name. `cluster` is the control plane, without our CRDs: that is what is installed.

    Everything that it makes goes with `close`, also after a start that failed on the way.
    """

    def __init__(self, *names: str) -> None:
        self._names = names
        self.nodes: dict[str, Machine] = {}

    def __enter__(self) -> "Machines":
        with ExitStack() as stack:
            self.cluster = stack.enter_context(Cluster(kubelets=self._names, crds=None))
            self.directory = self.cluster.directory / "machines"
            self.directory.mkdir()
            pause = pause_image()
            for number, name in enumerate(self._names, 1):
                machine = Machine(self.cluster, name, PODS.format(number=number), PAUSE)
                stack.callback(machine.remove)
                self.nodes[name] = machine
                machine.boot()
            self._each(lambda node: node.start_containerd())
            self._each(lambda node: node.load(pause))
            self._each(lambda node: node.start_kubelet())
            self.wait_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def kubeconfig(self) -> Path:
        """The admin's."""
        return self.cluster.kubeconfig

    def kubectl(self, *args: str, input: str = "") -> str:
        """As the admin; see `Cluster.kubectl`."""
        return self.cluster.kubectl(*args, input=input)

    def try_helm(
        self, args: Sequence[str], *, program: str = "helm"
    ) -> subprocess.CompletedProcess[str]:
        """helm 4 (`helm`) or 3 (`helm3`), as the admin."""
        homes = {
            f"HELM_{kind}_HOME": str(self.directory / f"helm-{kind.lower()}")
            for kind in ("CACHE", "CONFIG", "DATA")
        }
        return subprocess.run(
            [str(path(program)), *args],
            capture_output=True,
            text=True,
            check=False,
            timeout=HELM_SECONDS,
            env={**os.environ, **homes, "KUBECONFIG": str(self.kubeconfig)},
        )

    def pids(self) -> frozenset[int]:
        """Of everything that belongs to the cluster or runs on a node now."""
        wrappers = {pid for node in self.nodes.values() for pid in node.wrappers}
        return self.cluster.pids() | wrappers | processes.foreign()

    def load(self, *archives: Path) -> None:
        """Images of docker-archives, onto every node."""
        for archive in archives:
            self._each(partial(Machine.load, archive=archive))

    def wait_ready(self, names: Iterable[str] = ()) -> None:
        """Until these nodes (all unless named) are Ready and take pods."""
        wanted = set(names) or set(self.nodes)
        until(
            lambda: wanted <= self._ready(),
            f"{', '.join(sorted(wanted))} are Ready",
            READY_SECONDS,
            self.evidence,
        )

    def heartbeats(self) -> dict[str, str]:
        """When each kubelet last renewed its lease."""
        leases = self.kubectl("get", "leases", "-n", "kube-node-lease", "-o", "json")
        found = {item["metadata"]["name"]: item for item in json.loads(leases)["items"]}
        return {name: str(found[name]["spec"]["renewTime"]) for name in self.nodes}

    def reboot(self, name: str) -> None:
        """A power cut and a start: empty network, bpffs and /run; the disk stays. NICs are gone."""
        node = self.nodes[name]
        node.shut_down()
        node.reconnect()
        node.boot()
        assert node.wires.attached() == [], "a NIC that was made anew has no program"
        node.start_containerd()
        node.start_kubelet()

    def evidence(self) -> str:
        """What the cluster says of itself, and the ends of the nodes' logs."""
        said = [
            self.cluster.try_kubectl(words).stdout
            for words in (
                ["get", "nodes,pods,daemonsets,deployments", "-A", "-o", "wide"],
                ["get", "events", "-A", "--sort-by=.metadata.creationTimestamp"],
            )
        ]
        return "\n\n".join([*said, *(node.evidence() for node in self.nodes.values())])

    def _ready(self) -> set[str]:
        for node in self.nodes.values():
            assert not node.kubelet.ended, node.kubelet.tail()
        items = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        return {item["metadata"]["name"] for item in items if _takes_pods(item)}

    def _each(self, work: Callable[[Machine], object]) -> None:
        """On all nodes at once; the first failure is raised when all are done."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            for done in [pool.submit(work, node) for node in self.nodes.values()]:
                done.result()


def _takes_pods(item: Mapping[str, Mapping[str, list[Mapping[str, str]]]]) -> bool:
    conditions = item["status"].get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not item["spec"].get("taints")
