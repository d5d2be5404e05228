"""The chart installed in a test's cluster, and its hooks run as processes instead of pods.

Called by test_install and test_uninstall. Its pods are simulated (kwok), so the operator is a
process beside them, with the service account of the release and its agents.yaml.
"""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.chart.helm import CHART, Helm
from tests.chart.rendered import NAMESPACE, RELEASE, Document, documents
from tests.cluster.cluster import Cluster
from tests.cluster.nodes import XDPREDIRECT
from tests.cluster.operator_scene import Scene
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP, Wire

LIMIT_SECONDS = 120.0
EVERYTHING = (
    *("customresourcedefinitions", "clusterroles", "clusterrolebindings", "roles", "rolebindings"),
    *("serviceaccounts", "validatingadmissionpolicies", "validatingadmissionpolicybindings"),
    *("deployments", "daemonsets", "jobs", "pods", "poddisruptionbudgets", "networkpolicies"),
    *("configmaps", "leases"),
)

KINDS = ("xdpredirects", "xdpaddresssets", "xdpredirectnodes")
# Of the DaemonSet and of the lease.
NAMES = ("xdp-redirect-agent", "xdp-redirect-operator")


class Release:
    """`helm` has installed it with `values`, if any; `directory` is for files."""

    def __init__(self, cluster: Cluster, helm: Helm, directory: Path) -> None:
        self.cluster, self.helm, self.directory = cluster, helm, directory
        self.wire = Wire(cluster)

    def install(self, values: Path | None = None, *args: str) -> None:
        """`helm upgrade --install`, which returns when the (simulated) operator is ready."""
        given = ["--values", str(values)] if values else []
        where = ("--namespace", NAMESPACE, "--create-namespace")
        command = ("upgrade", "--install", RELEASE, str(CHART), *where, "--wait", *given, *args)
        self.helm(*command)

    def uninstall(self, *args: str) -> str:
        """`helm uninstall`; its hook's pod does nothing here, see `hook`."""
        return self.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", *args)

    def objects(self) -> list[Document]:
        """What helm says it made, without hooks."""
        return documents(self.helm("get", "manifest", RELEASE, "--namespace", NAMESPACE))

    def hooks(self, kind: str) -> list[Document]:
        """The objects of one hook."""
        found = documents(self.helm("get", "hooks", RELEASE, "--namespace", NAMESPACE))
        return [one for one in found if one["metadata"]["annotations"]["helm.sh/hook"] == kind]

    def agents_file(self) -> Path:
        """What the operator's pods have mounted."""
        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/xdp-redirect-agents"
        made = self.directory / "agents.yaml"
        made.write_text(self.wire.request("GET", path).body["data"]["agents.yaml"])
        return made

    def replicas(self) -> int:
        """How many operators there are to be."""
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/xdp-redirect-operator"
        return int(self.wire.request("GET", path).body["spec"]["replicas"])

    def left(self) -> list[str]:
        """Everything of ours that is there, and labels of nodes."""
        names = self.cluster.kubectl("get", ",".join(EVERYTHING), "-A", "-o", "name").split()
        nodes = self.cluster.kubectl("get", "nodes", "-l", "xdpredirect.io/agent", "-o", "name")
        return [name for name in names if "xdp" in name] + nodes.split()

    def until_left(self, wanted: Sequence[str]) -> None:
        """Waits until that is all: pods go a little after what made them."""
        until(
            lambda: sorted(self.left()) == sorted(wanted), f"left is {wanted}", evidence=self._said
        )

    def erase_objects(self) -> None:
        """Whatever a failed test has left of ours, whoever holds it."""
        for plural in KINDS:
            until(partial(self._settled, plural), f"{plural} is served, or is not")
            if self._served(plural).returncode == 0:
                for name in self.wire.names(plural):
                    self.wire.erase(plural, name)
        where = ("--namespace", NAMESPACE, "--ignore-not-found")
        self.cluster.kubectl("delete", "daemonset,lease", *NAMES, *where)

    def erase(self) -> None:
        """The same, and the release."""
        self.helm.run(["uninstall", RELEASE, "--namespace", NAMESPACE, "--no-hooks", "--wait"])
        kinds = [f"{plural}.xdpredirect.io" for plural in KINDS]
        self.cluster.kubectl("delete", "crd", "--ignore-not-found", *kinds)
        self.until_left([])

    def _served(self, plural: str) -> subprocess.CompletedProcess[str]:
        return self.cluster.try_kubectl(["get", "--raw", f"{GROUP}/{plural}"])

    def _settled(self, plural: str) -> bool:
        """Not while storage "is (re)initializing", as for a moment after a change of the CRD."""
        done = self._served(plural)
        return done.returncode == 0 or "NotFound" in done.stderr

    def _said(self) -> str:
        return f"left is {self.left()}"


class Hook:
    """One hook of a release: its service account and rights are there from `with` to its end."""

    def __init__(self, release: Release, kind: str) -> None:
        self.release, self.kind = release, kind
        documents = release.hooks(kind)
        self.rights = [one for one in documents if one["kind"] not in ("Job", "Pod")]
        (pod,) = (_pod(one) for one in documents if one["kind"] in ("Job", "Pod"))
        self.account: str = pod["serviceAccountName"]
        (container,) = pod["containers"]
        self.args: list[str] = container["args"]
        assert container["command"] == ["xdpredirect"]

    def __enter__(self) -> "Hook":
        text = yaml.safe_dump_all(self.rights)
        self.release.cluster.kubectl("apply", "--server-side", "-f", "-", input=text)
        return self

    def __exit__(self, *_: object) -> None:
        text = yaml.safe_dump_all(self.rights)
        self.release.cluster.kubectl("delete", "-f", "-", input=text)

    def argv(self, *options: str) -> list[str]:
        """What its pod runs, with the same rights; `options` count more than its own."""
        cluster = self.release.cluster
        token = cluster.token_for(self.account, NAMESPACE)
        kubeconfig = cluster.kubeconfig_for(self.account, token)
        return [*XDPREDIRECT, *self.args, "--kubeconfig", str(kubeconfig), *options]

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Runs it to its end."""
        return subprocess.run(
            self.argv(*options), capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS
        )

    def attend(self, scene: Scene, *options: str, silent: Sequence[str] = ()) -> "Ended":
        """Runs it while the agents of `scene` answer, but for the `silent` ones, and its operators
        are ended as kubelet ends them, once their Deployment wants none."""
        answering = [name for name in scene.nodes.names if name not in silent]
        began = time.monotonic()
        with (self.release.directory / "hook.log").open("w+") as log:
            process = subprocess.Popen(self.argv(*options), stdout=log, stderr=subprocess.STDOUT)
            while process.poll() is None:
                if time.monotonic() - began > LIMIT_SECONDS:
                    process.kill()
                if answering and self.release.wire.names("xdpredirects"):
                    scene.nodes.reply(*answering)
                if self.release.replicas() == 0:
                    for replica in scene.replicas:
                        replica.process.stop()
                time.sleep(0.1)
            log.seek(0)
            return Ended(process.returncode, log.read())


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a process."""

    code: int
    said: str


def _pod(document: Document) -> dict[str, Any]:
    spec: dict[str, Any] = document["spec"]
    return spec["template"]["spec"] if document["kind"] == "Job" else spec
