"""Namespace nodes: a network namespace with NICs, in which the real agent runs as itself.

Made by `conftest.nodes`. What kubelet would do is done here: a Node object (kept Ready by kwok), a
pod on it, a token bound to that pod, the host's bpffs and state directory.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.installed import agent_token
from tests.cluster.kwok import Kwok
from tests.cluster.process import Process
from tests.kernel.lab import Host, Lab

XDPREDIRECT = (sys.executable, "-m", "xdpredirect")


class NamespaceNode:
    """`host` is the namespace; `agent` its agent, not yet started; `kubeconfig` the agent's own."""

    def __init__(self, cluster: Cluster, host: Host, labels: Mapping[str, str]) -> None:
        self.cluster, self.host, self.name = cluster, host, host.name
        self.labels = dict(labels)
        self.address = cluster.network.join(host)

    def admit(self) -> None:
        """Once its Node exists: gives it the pod and the token that its agent has."""
        self.token = agent_token(self.cluster, self.name)
        self.kubeconfig = self.cluster.kubeconfig_for(f"agent-{self.name}", self.token)
        self.equip()

    def equip(self, **variables: str) -> None:
        """Another agent instead of the one that is not started yet: with these settings."""
        argv = [*XDPREDIRECT, "agent", "--node", self.name, "--kubeconfig", str(self.kubeconfig)]
        log = Path(self.host.state_dir.parent, "agent.log")
        self.agent = Process(self.host, argv, log, {**self.host.environment, **variables})

    def xdpredirect(self, *words: str) -> str:
        """A command on the node, beside its agent; LabError when it fails."""
        return self.host.run([*XDPREDIRECT, *words]).stdout


class Nodes:
    """The namespace nodes of one test."""

    def __init__(self, kwok: Kwok, lab: Lab) -> None:
        self._kwok, self._lab = kwok, lab
        self._nodes: list[NamespaceNode] = []

    def add(self, *names: str, labels: Mapping[str, str] | None = None) -> list[NamespaceNode]:
        """Nodes of these names, Ready; NICs are the test's to add (`lab.veth`)."""
        cluster = self._kwok.cluster
        made = [NamespaceNode(cluster, self._lab.host(name), labels or {}) for name in names]
        self._nodes += made
        self._kwok.register(names, labels)
        for node in made:
            node.admit()
        return made

    def evidence(self) -> str:
        """The ends of the agents' logs."""
        return "\n\n".join(node.agent.tail() for node in self._nodes)

    def close(self) -> None:
        """Ends the agents and removes the nodes; what an agent has attached stays (see `lab`)."""
        for node in self._nodes:
            if hasattr(node, "agent"):
                node.agent.stop()
        self._kwok.remove([node.name for node in self._nodes])
