"""config/ in a test's cluster, and tokens such as its processes have.

Called by tests that speak as an agent or as the operator. The Deployment is left out: no image of
ours is in these clusters, the processes run beside them.
"""

import json
from typing import Any

import yaml

from tests.cluster.cluster import ROOT, Cluster
from xdpredirect.controller.agents import daemon_set, read_agents

SYSTEM = "xdp-redirect-system"
AGENT, OPERATOR = "xdp-redirect-agent", "xdp-redirect-operator"
PARTS = ("namespace", "rbac", "admission")


def install(cluster: Cluster) -> None:
    """Applies namespace, roles and policies; again is no change."""
    for part in PARTS:
        cluster.kubectl("apply", "--server-side", "-k", str(ROOT / "config" / part))


def rendered(cluster: Cluster) -> list[dict[str, Any]]:
    """Everything in config/, as kustomize renders it."""
    return list(yaml.safe_load_all(cluster.kubectl("kustomize", str(ROOT / "config"))))


def agents_of(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The DaemonSet that the operator makes of the file among these."""
    (config,) = (document for document in documents if document["kind"] == "ConfigMap")
    (text,) = config["data"].values()
    return daemon_set(read_agents(yaml.safe_load(text)), SYSTEM)


def operator_token(cluster: Cluster) -> str:
    """Of the operator's service account."""
    return cluster.token_for(OPERATOR, SYSTEM)


def agent_token(cluster: Cluster, node: str) -> str:
    """Of an agent's pod on `node`: Node and pod are made where they are missing."""
    pod = f"agent-{node}"
    if cluster.try_kubectl(["get", "pod", "-n", SYSTEM, pod]).returncode != 0:
        made = [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}, agent_pod(node)]
        for document in made:
            cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(document))
    return cluster.token_for(AGENT, SYSTEM, pod)


def remove_agents(cluster: Cluster, *nodes: str) -> None:
    """Removes what `agent_token` made for these nodes."""
    pods = [f"agent-{node}" for node in nodes]
    cluster.kubectl("delete", "pod", "-n", SYSTEM, "--force", "--grace-period=0", *pods)
    cluster.kubectl("delete", "node", *nodes)


def agent_pod(node: str) -> dict[str, Any]:
    """A pod that is on the node without a scheduler, and stays there without a kubelet."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"agent-{node}", "namespace": SYSTEM},
        "spec": {
            "nodeName": node,
            "serviceAccountName": AGENT,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "agent", "image": "xdp-redirect-operator"}],
        },
    }
