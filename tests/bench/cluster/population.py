"""Simulated nodes: a Node object each, an agent's pod on it, and a token bound to that pod.

Called by `scene`. They are plain Nodes that nobody keeps Ready: the operator does not ask.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.bench.cluster.wires import CONNECTIONS, Wires
from tests.cluster.cluster import Cluster
from tests.cluster.credentials import ADMIN
from tests.cluster.installed import AGENT, SYSTEM, agent_pod

LABEL = "bench"
TOKEN_SECONDS = 7200


def populate(cluster: Cluster, names: Sequence[str], role: str) -> dict[str, str]:
    """Makes these nodes, labelled `bench: <role>`; tokens of their agents by name."""
    credentials = cluster.control_plane.credentials
    wires = Wires(cluster.server, credentials.certificate, "bench")
    admin = credentials.tokens[ADMIN]

    def settle(name: str) -> str:
        metadata = {"name": name, "labels": {LABEL: role, "kubernetes.io/hostname": name}}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": metadata}
        wires.send("POST", "/api/v1/nodes", node, token=admin)
        pods = f"/api/v1/namespaces/{SYSTEM}/pods"
        wires.send("POST", pods, agent_pod(name), token=admin)
        accounts = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/{AGENT}/token"
        reference = {"apiVersion": "v1", "kind": "Pod", "name": f"agent-{name}"}
        spec = {"boundObjectRef": reference, "expirationSeconds": TOKEN_SECONDS}
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(wires.send("POST", accounts, asked, token=admin)["status"]["token"])

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        return dict(zip(names, threads.map(settle, names), strict=True))
