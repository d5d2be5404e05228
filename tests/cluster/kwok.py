"""Kubelets that only say so: nodes Ready, pods Running, real leases; one kwok process for all.

Made by `conftest.kwok`. Scheduler, DaemonSet controller and garbage collector are the real ones.
Namespace nodes are registered here too, so that somebody keeps their Node objects Ready.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.binaries.families import FAMILIES, path
from tests.cluster.cluster import Cluster
from tests.cluster.process import Process
from tests.cluster.waiting import until

ANNOTATION = ("kwok.x-k8s.io/node", "fake")
LEASE_SECONDS = 40


class Kwok:
    """`process` runs until the cluster closes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        family = next(family for family in FAMILIES if family.name == "kwok")
        flags = [
            f"--kubeconfig={cluster.kubeconfig}",
            f"--manage-nodes-with-annotation-selector={'='.join(ANNOTATION)}",
            f"--node-lease-duration-seconds={LEASE_SECONDS}",
            # Without stages it does nothing at all; they came with its module.
            *(f"--config={path(Path(file).name)}" for file in family.files),
        ]
        log = cluster.directory / "kwok.log"
        self.process = Process(cluster.network.control, [str(path("kwok")), *flags], log)
        self.process.start()
        cluster.companions.append(self.process)

    def register(self, names: Sequence[str], labels: Mapping[str, str] | None = None) -> None:
        """Makes Node objects and waits until all are Ready and no taint keeps pods away."""
        documents = [node(name, labels or {}) for name in names]
        self.cluster.create(documents)
        until(
            lambda: set(names) <= self.ready(),
            f"nodes {', '.join(names[:5])} are ready",
            evidence=self.process.tail,
        )

    def ready(self) -> frozenset[str]:
        """Nodes that are Ready and take pods."""
        items = json.loads(self.cluster.kubectl("get", "nodes", "-o", "json"))["items"]
        return frozenset(item["metadata"]["name"] for item in items if _takes_pods(item))

    def remove(self, names: Sequence[str]) -> None:
        """Deletes nodes with their pods, all gone when this returns."""
        for name in names:
            here = ["-A", f"--field-selector=spec.nodeName={name}"]
            self.cluster.kubectl("delete", "node", name, "--ignore-not-found")
            self.cluster.kubectl("delete", "pods", *here, "--force", "--grace-period=0")


def node(name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """A Node object that kwok takes care of."""
    own = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**own, **labels},
            "annotations": dict([ANNOTATION]),
        },
    }


def _takes_pods(item: Mapping[str, Any]) -> bool:
    conditions = item.get("status", {}).get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not item["spec"].get("taints")
