"""A Kubernetes for tests: what `conftest.cluster` hands to a test and `make cluster` keeps running.

with Cluster() as cluster:
    cluster.kubectl("get", "nodes")
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.cluster.binaries.families import path
from tests.cluster.control_plane import ControlPlane
from tests.cluster.credentials import ADMIN
from tests.cluster.network import Network
from tests.cluster.process import Process
from tests.cluster.waiting import until
from tests.kernel.lab import Lab

ROOT = Path(__file__).parents[2]
CRDS = ROOT / "crds"
GROUP = "xdpredirect.io"
COMMAND_SECONDS = 300.0


class KubectlError(Exception):
    """kubectl refused; the message is what it wrote."""


class Cluster:
    """`lab` holds its namespaces, `directory` its files; both go with `close`.

    `kubelets`: nodes that real kubelets will speak for. Without `crds` it knows no kind of ours.
    """

    def __init__(self, kubelets: Sequence[str] = (), crds: Path | None = CRDS) -> None:
        self.lab = Lab()
        try:
            self.network = Network(self.lab)
        except BaseException:
            self.lab.close()
            raise
        # Beside the lab's hosts, so that whatever sweeps the lab sweeps this.
        self.directory = self.network.control.state_dir
        self.control_plane = ControlPlane(self.network, self.directory, kubelets)
        self._crds = crds
        self._kinds: tuple[str, ...] = ()
        # What tests add to it for the rest of the run, such as kwok.
        self.companions: list[Process] = []

    def __enter__(self) -> "Cluster":
        try:
            self.control_plane.start()
            if self._crds is not None:
                self.install(self._crds)
            self.control_plane.start_controllers()
            until(self._has_default_account, "namespace default has its service account")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def server(self) -> str:
        """URL of the API server, the same from this machine and from every node."""
        return self.control_plane.server

    @property
    def kubeconfig(self) -> Path:
        """The admin's."""
        return self.control_plane.credentials.directory / f"{ADMIN}.kubeconfig"

    def kubectl(self, *args: str, input: str = "", kubeconfig: Path | None = None) -> str:
        """Standard output; KubectlError with what it wrote to standard error when it failed."""
        done = self.try_kubectl(args, input=input, kubeconfig=kubeconfig)
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def try_kubectl(
        self, args: Sequence[str], *, input: str = "", kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """For commands that are expected to fail."""
        own = {
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "KUBECACHEDIR": str(self.directory / "kubectl-cache"),
        }
        return subprocess.run(
            [str(path("kubectl")), *args],
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
            env={**os.environ, **own},
        )

    def install(self, crds: Path) -> None:
        """Applies every CRD of a directory and waits until it is served."""
        self.kubectl("apply", "--server-side", "-f", str(crds))
        self._kinds = tuple(f"{file.stem}.{GROUP}" for file in sorted(crds.glob("*.yaml")))
        self.await_kinds(*self._kinds)

    def create(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Creates objects of any kind; KubectlError names the first that was refused."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self.kubectl("create", "-f", "-", input=json.dumps(items))

    def token_for(self, service_account: str, namespace: str, pod: str = "") -> str:
        """A real token of a service account; bound to a pod, it also names the pod's node."""
        bound = ["--bound-object-kind=Pod", f"--bound-object-name={pod}"] if pod else []
        return self.kubectl("create", "token", service_account, "-n", namespace, *bound).strip()

    def kubeconfig_for(self, name: str, token: str) -> Path:
        """A kubeconfig file that presents `token`."""
        return self.control_plane.credentials.kubeconfig(name, token)

    def kubelet_kubeconfig(self, node: str) -> Path:
        """Of one of `kubelets`."""
        return self.control_plane.credentials.directory / f"{node}.kubeconfig"

    def stop_api_server(self) -> None:
        """Kills it: connections break, nothing is said."""
        self.control_plane.api_server.kill()

    def start_api_server(self) -> None:
        """Starts it again with the same state and waits until it is ready."""
        self.control_plane.start_api_server()
        self.await_kinds(*self._kinds)

    def await_kinds(self, *names: str) -> None:
        """Waits until kinds are served, as `plural.group`."""
        # Established and ready are not enough: for a moment storage answers "(re)initializing".
        for name in names:
            until(partial(self._serves, name), f"{name} is served")

    def pids(self) -> frozenset[int]:
        """Of what belongs to the cluster itself, whoever restarted it last."""
        processes = (*self.control_plane.processes, *self.companions)
        return frozenset(process.pid for process in processes if process.pid is not None)

    def close(self) -> None:
        """Ends every process and removes namespaces and files."""
        for companion in self.companions:
            companion.kill()
        self.control_plane.stop()
        self.lab.close()

    def _serves(self, name: str) -> bool:
        return self.try_kubectl(["get", name]).returncode == 0

    def _has_default_account(self) -> bool:
        return self.try_kubectl(["get", "serviceaccount", "default"]).returncode == 0
