"""Operators, nodes that answer, and XdpRedirects as people handle them.

Called by test_operator*. Everything it made is gone after `close`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.operator_process import Operator
from tests.cluster.proxy import Proxy
from tests.cluster.replies import Answering, redirect
from tests.cluster.waiting import PATIENCE_SECONDS, until
from tests.cluster.wire import GROUP, Wire
from tests.kernel.lab import Lab

LEASE = "/apis/coordination.k8s.io/v1/namespaces/xdp-redirect-system/leases/xdp-redirect-operator"
# Longer than any test: silence is tested where it is asked for.
NEVER = "600"


class Scene:
    """`replicas` are operators in the order in which they were started."""

    def __init__(self, cluster: Cluster, *options: str, silence: str = NEVER) -> None:
        self.cluster, self.wire = cluster, Wire(cluster)
        self.nodes = Answering(cluster)
        self.replicas: list[Operator] = []
        self._options = ("--silence-seconds", silence, "--log", "json", *options)
        self._lab = Lab()
        self._names: set[str] = set()

    def start(self, proxy: Proxy | None = None) -> Operator:
        """One more operator, with a host of its own; with `proxy` between it and the API server."""
        name = f"operator-{len(self.replicas)}"
        made = Operator(self.cluster, self._lab, name, *self._options)
        self.replicas.append(made)
        if proxy is not None:
            proxy.guard(made.kubeconfig)
        made.process.start()
        return made

    def revive(self, proxy: Proxy | None = None) -> None:
        """What kubelet does for a leader that has lost its lease: another one, if none runs."""
        if not any(replica.process.pid for replica in self.replicas):
            self.start(proxy)

    def leader(self) -> str:
        """Who holds the lease; empty while nobody does."""
        answer = self.wire.request("GET", LEASE)
        return str(answer.body["spec"]["holderIdentity"]) if answer.status == 200 else ""

    def apply(self, name: str, selector: Mapping[str, str], **more: Any) -> None:
        """`kubectl apply`."""
        document = json.dumps(redirect(name, selector, **more))
        self._names.add(name)
        self.cluster.kubectl("apply", "-f", "-", input=document)

    def create(self, document: dict[str, Any]) -> None:
        """A new XdpRedirect, without kubectl's notes on what it sent."""
        self._names.add(document["metadata"]["name"])
        answer = self.wire.create("xdpredirects", document)
        assert answer.status == 201, answer

    def lease_version(self) -> str:
        """Another text after each renewal."""
        return str(self.wire.request("GET", LEASE).body["metadata"]["resourceVersion"])

    def delete(self, name: str) -> None:
        """Asks for it and does not wait."""
        self.cluster.kubectl("delete", "xdpredirect", name, "--wait=false", "--ignore-not-found")

    def exists(self, name: str) -> bool:
        """Whether the object is still there."""
        return self.wire.request("GET", f"{GROUP}/xdpredirects/{name}").status == 200

    def get(self, name: str) -> dict[str, Any]:
        """The object."""
        answer = self.wire.request("GET", f"{GROUP}/xdpredirects/{name}")
        assert answer.status == 200, answer
        return answer.body

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        """Status and reason of a condition that is about the object as it is now."""
        found = self.get(name)
        for item in found["status"].get("conditions", []):
            current = item["observedGeneration"] == found["metadata"]["generation"]
            if item["type"] == kind and current:
                return item["status"], item["reason"]
        return "", ""

    def wait(self, name: str, condition: str = "Ready") -> None:
        """As scripts do; KubectlError when it does not become true."""
        waited = ["--for", f"condition={condition}", "--timeout=180s"]
        self.cluster.kubectl("wait", f"xdpredirect/{name}", *waited)

    def until(
        self, holds: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Waits; the logs of the operators are the evidence."""
        until(holds, what, seconds, self.evidence)

    def evidence(self) -> str:
        """The ends of the operators' logs."""
        return "\n".join(replica.process.tail() for replica in self.replicas)

    def until_told(self, node: str, *names: str) -> None:
        """Waits until the node is told to run just these."""
        told = self.nodes.told
        self.until(
            lambda: [name for name, _ in told(node)] == list(names), f"{node} is told {names}"
        )

    def until_condition(self, name: str, kind: str, status: str, reason: str) -> None:
        """Waits until a condition about the object as it is now says so."""
        self.until(
            lambda: self.condition(name, kind) == (status, reason), f"{name}: {kind} {reason}"
        )

    def close(self) -> None:
        """Deletes the objects, whose agents let go at once, then the nodes, then the operators."""
        try:
            if self._names:
                self._remove_objects()
        finally:
            self.nodes.remove(*self.nodes.names)
            for replica in self.replicas:
                replica.process.stop()
            self._lab.close()
            self.wire.request("DELETE", LEASE)

    def _remove_objects(self) -> None:
        for name in self._names:
            self.delete(name)

        def gone() -> bool:
            self.revive()
            self.nodes.reply()
            return not any(self.exists(name) for name in self._names)

        self.until(gone, "the objects are gone")
