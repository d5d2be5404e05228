"""Pods of two namespaces, without a scheduler and without a kubelet.

Called by test_pods*. Their processes, where a test needs some, are its own, in the cgroup that a
kubelet would make.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.wire import MERGE, Wire
from tests.kernel.lab import Host

SPACE, OTHER = "pods-ids", "pods-other"
_UNIFIED = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
_EMPTY_SECONDS = 20.0


class Pods:
    """`close` removes them all. Their namespaces stay for the next test: the API server takes five
    seconds to give one up."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._wire = cluster, Wire(cluster)
        spaces = [_space(name) for name in (SPACE, OTHER)]
        items = {
            "apiVersion": "v1",
            "kind": "List",
            "items": [item for two in spaces for item in two],
        }
        cluster.kubectl("apply", "-f", "-", input=json.dumps(items))

    def add(self, name: str, node: str, namespace: str = SPACE, **spec: Any) -> str:
        """A pod with the label app=ids; its UID."""
        made = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "ids"}},
            "spec": {
                "nodeName": node,
                "serviceAccountName": "client",
                "automountServiceAccountToken": False,
                "containers": [{"name": "client", "image": "registry.example/client:1"}],
                **spec,
            },
        }
        answer = self._wire.request("POST", f"/api/v1/namespaces/{namespace}/pods", made)
        assert answer.status == 201, answer
        return str(answer.body["metadata"]["uid"])

    def label(self, name: str, label: str) -> None:
        """Another label, or another value of one."""
        self._cluster.kubectl("label", "pod", name, "-n", SPACE, "--overwrite", label)

    def finish(self, name: str) -> None:
        """Its containers have come to their end; the Pod is still there."""
        path = f"/api/v1/namespaces/{SPACE}/pods/{name}/status"
        answer = self._wire.request("PATCH", path, {"status": {"phase": "Succeeded"}}, MERGE)
        assert answer.status == 200, answer

    def remove(self, name: str) -> None:
        """Gone when this returns."""
        self._cluster.kubectl(
            "delete", "pod", name, "-n", SPACE, "--force", "--grace-period=0", "--wait"
        )

    def close(self) -> None:
        """Every pod in both namespaces."""
        for name in (SPACE, OTHER):
            self._cluster.kubectl("delete", "pods", "-n", name, "--all", "--force")


def _space(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A namespace, and in it the service account of its pods."""
    account = {"name": "client", "namespace": name}
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
    )


@contextmanager
def cgroup_of(uid: str) -> Iterator[Path]:
    """The cgroup of a container of a pod, as a kubelet at the root makes it; gone at the end."""
    root = next(path for path in _UNIFIED if (path / "cgroup.controllers").exists())
    made = root / "kubepods" / "burstable" / f"pod{uid}" / "container"
    made.mkdir(parents=True)
    try:
        yield made
    finally:
        deadline = time.monotonic() + _EMPTY_SECONDS
        while "populated 1" in (made / "cgroup.events").read_text():
            assert time.monotonic() < deadline, f"processes stay in {made}"
            time.sleep(0.02)
        for path in (made, *made.parents):
            if path == root or [*path.glob("*/")]:
                break
            path.rmdir()


def receiver(
    host: Host, sockets: Path, cgroup: Path, *words: str, own: str = ""
) -> AbstractContextManager[Popen[str]]:
    """`xdpredirect receive in` as nobody in a cgroup, on a host of its own; with CAP_NET_RAW and
    its own device where one is named."""
    powers = ["--net-raw"] if own else []
    words = (*words, "--own-device", own) if own else words
    command = [sys.executable, "-m", "tests.kernel.powerless", *powers, "receive", "in", *words]
    enter = f'echo $$ > {cgroup}/cgroup.procs && exec "$@"'
    here = ":".join([str(Path(__file__).parents[2]), *sys.path])
    env = {"PYTHONPATH": here, "XDPREDIRECT_SOCKETS_DIR": str(sockets)}
    return host.running(["sh", "-c", enter, "sh", *command], env=env)
