"""What a user does with the product on real nodes: helm, kubectl apply, and looking at frames.

Made by `conftest.product`. The images are those of this checkout, loaded once.
"""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.cluster.cluster import ROOT
from tests.cluster.nodes import XDPREDIRECT
from tests.cluster.waiting import until
from tests.image.build import Images
from tests.kernel.lab.wires import Wires
from tests.node.machines import Machines

CHART = ROOT / "charts" / "xdp-redirect"
RELEASE, NAMESPACE = "xdp-redirect", "xdp-redirect-system"
AGENTS = "app.kubernetes.io/component=agent"
REGISTRY = "docker.io/library"
WAIT = "--timeout=240s"
COMMAND_SECONDS = 300.0
MIN_READY_SECONDS = 2
# Everything of ours is of one of these.
KINDS = (
    *("customresourcedefinitions", "clusterroles", "clusterrolebindings", "roles", "rolebindings"),
    *("validatingadmissionpolicies", "validatingadmissionpolicybindings", "daemonsets"),
    *("deployments", "jobs", "pods", "configmaps", "leases", "poddisruptionbudgets"),
    *("serviceaccounts", "secrets"),
)


class Product:
    """`tag` is the agents' image that is or will be installed."""

    def __init__(self, machines: Machines, images: Images) -> None:
        self.machines = machines
        self.installed = False
        self.operator = images.operator_name
        self.repository, _, self.tag = images.agent_name.partition(":")
        machines.load(images.operator, images.agent)

    def install(self) -> None:
        """`helm install` with our images; returns when helm says that it is there."""
        self._helm("install", "--create-namespace")
        self.installed = True

    def upgrade(self, tag: str) -> None:
        """To an agents' image of the same content under another tag."""
        for node in self.machines.nodes.values():
            node.tag(
                f"{REGISTRY}/{self.repository}:{self.tag}", f"{REGISTRY}/{self.repository}:{tag}"
            )
        self.tag = tag
        self._helm("upgrade")

    def configure(self, *values: str, wait: bool = True) -> None:
        """`helm upgrade` to these values (`name=value`), the same images, and else defaults."""
        self._helm("upgrade", f"--wait={'watcher' if wait else 'hookOnly'}", *set_all(values))

    def verify(self, program: str = "helm") -> tuple[int, str]:
        """Exit code of `helm test`, and all that it printed."""
        return self._hook("test", program)

    def try_uninstall(self, program: str = "helm", *options: str) -> tuple[int, str]:
        """The same of `helm uninstall`."""
        return self._hook("uninstall", program, "--wait", *options)

    def uninstall(self) -> None:
        """`helm uninstall`, and until every pod is gone."""
        code, said = self.try_uninstall()
        assert code == 0, f"{said}\n{self.evidence()}"
        self.gone()

    def gone(self) -> None:
        """Somebody has uninstalled it: waits until every pod is gone."""
        self.installed = False
        until(lambda: not self.pods(), "no pod of ours is left", evidence=self.machines.evidence)

    def uninstall_from_outside(self) -> None:
        """`xdpredirect uninstall`, as the admin and in no pod."""
        argv = [*XDPREDIRECT, "uninstall", "--kubeconfig", str(self.machines.kubeconfig)]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
        )
        assert done.returncode == 0, f"{done.stderr}\n{self.evidence()}"

    def left(self) -> list[str]:
        """Everything of ours in the cluster, labels of nodes, and what the kernels hold for it."""
        kubectl = self.machines.kubectl
        names = kubectl("get", ",".join(KINDS), "-A", "-o", "name").split()
        found = [name for name in names if "xdp" in name]
        found += kubectl("get", "nodes", "-l", "xdpredirect.io/agent", "-o", "name").split()
        for node in self.machines.nodes.values():
            found += [f"{node.name}: {nic} has a program" for nic in node.wires.attached()]
            found += [f"{node.name}: {pin} is pinned" for pin in node.pins()]
        return found

    def apply(self, document: Mapping[str, Any]) -> None:
        """`kubectl apply`."""
        self.machines.kubectl("apply", "-f", "-", input=json.dumps(document))

    def wait_ready(self, name: str) -> None:
        """`kubectl wait` until Ready; AssertionError with all that is known otherwise."""
        argv = ["wait", "--for=condition=Ready", WAIT, f"xdpredirect/{name}"]
        done = self.machines.cluster.try_kubectl(argv)
        assert done.returncode == 0, f"{done.stderr}\n{self.evidence()}"

        def of_all() -> bool:
            # Nodes that have not answered for a while hold nothing up.
            nodes = self.status(name)["nodes"]
            return bool(nodes["ready"] == nodes["selected"])

        self.until(of_all, f"every node that {name} selects redirects")

    def delete(self, *names: str) -> None:
        """`kubectl delete`, and until the agents' pods are gone: nothing needs them any more."""
        self.machines.kubectl("delete", "xdpredirect", *names, WAIT)
        self.until(lambda: not self.agents(), "agents have gone")

    def status(self, name: str) -> dict[str, Any]:
        """Of an XdpRedirect."""
        found = json.loads(self.machines.kubectl("get", "xdpredirect", name, "-o", "json"))
        return dict(found.get("status", {}))

    def generation(self, name: str) -> int:
        """Of what is asked now."""
        form = "jsonpath={.metadata.generation}"
        return int(self.machines.kubectl("get", "xdpredirect", name, "-o", form))

    def ready_generation(self, name: str) -> int:
        """Of what every node does; 0 before any does."""
        conditions = self.status(name).get("conditions", [])
        ready = [one for one in conditions if one["type"] == "Ready" and one["status"] == "True"]
        return max((int(one["observedGeneration"]) for one in ready), default=0)

    def agents(self) -> dict[str, dict[str, Any]]:
        """The agents' pods by node, as the API server has them."""
        return {pod["spec"]["nodeName"]: pod for pod in self._list("-l", AGENTS)}

    def agents_ready(self, image: str = "") -> bool:
        """Whether there is one on each node, Ready, of that image (its reference) if given."""
        found = self.agents()
        return set(found) == set(self.machines.nodes) and all(
            _ready(pod) and image in ("", pod["spec"]["containers"][0]["image"])
            for pod in found.values()
        )

    def pods(self) -> list[str]:
        """Names of all pods of ours."""
        return [pod["metadata"]["name"] for pod in self._list()]

    def wires(self, node: str) -> Wires:
        """The node's NICs."""
        return self.machines.nodes[node].wires

    def until(self, holds: Callable[[], object], what: str, seconds: float = 300.0) -> None:
        """As `waiting.until`, with everything that is known when it does not come."""
        until(holds, what, seconds, self.evidence)

    def evidence(self) -> str:
        """Objects, events, and the ends of all logs."""
        said = [
            self.machines.cluster.try_kubectl(words).stdout
            for words in (
                ["get", "xdpredirects,xdpredirectnodes", "-o", "yaml"],
                ["logs", "-n", NAMESPACE, "-l", AGENTS, "--tail=40", "--prefix"],
                ["logs", "-n", NAMESPACE, "deployment/xdp-redirect-operator", "--tail=40"],
                ["describe", "pods", "-n", NAMESPACE],
            )
        ]
        return "\n\n".join([*said, self.machines.evidence()])

    def _hook(self, command: str, program: str, *more: str) -> tuple[int, str]:
        words = [command, RELEASE, "--namespace", NAMESPACE, "--timeout=4m", *more]
        done = self.machines.try_helm(words, program=program)
        return done.returncode, f"{done.stdout}{done.stderr}"

    def _helm(self, command: str, *more: str) -> None:
        operator, _, tag = self.operator.partition(":")
        values = [
            f"operator.image.repository={operator}",
            f"operator.image.tag={tag}",
            f"agent.image.repository={self.repository}",
            f"agent.image.tag={self.tag}",
            # Nobody is to wait for the second pass of an agent; tests/unit has the default.
            f"agent.updateStrategy.minReadySeconds={MIN_READY_SECONDS}",
        ]
        # Of two that set the same the last counts.
        words = ["--namespace", NAMESPACE, "--wait", "--timeout=4m", *set_all(values), *more]
        done = self.machines.try_helm([command, RELEASE, str(CHART), *words])
        assert done.returncode == 0, f"{done.stderr}\n{self.evidence()}"

    def _list(self, *words: str) -> Sequence[dict[str, Any]]:
        text = self.machines.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json", *words)
        return list(json.loads(text)["items"])


def set_all(values: Sequence[str]) -> list[str]:
    """Options of helm for these values (`name=value`)."""
    return [word for value in values for word in ("--set", value)]


def _ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    alive = "deletionTimestamp" not in pod["metadata"]
    return alive and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
