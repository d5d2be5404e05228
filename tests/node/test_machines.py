"""The real nodes themselves, before anything of ours is installed."""

import json

from tests.cluster.waiting import until
from tests.node.machines import Machines


def test_both_nodes_are_ready_and_run_what_was_built(machine_cluster: Machines) -> None:
    items = json.loads(machine_cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    versions = {
        item["metadata"]["name"]: (
            item["status"]["nodeInfo"]["kubeletVersion"],
            item["status"]["nodeInfo"]["containerRuntimeVersion"],
        )
        for item in items
    }
    assert versions == dict.fromkeys(machine_cluster.nodes, ("v1.37.2", "containerd://2.4.2"))


def test_a_pod_runs_on_each_node_and_reaches_the_other(machine_cluster: Machines) -> None:
    names = list(machine_cluster.nodes)
    machine_cluster.cluster.create([sleeper(name) for name in names])
    try:
        machine_cluster.kubectl(
            "wait", "--for=condition=Ready", "--timeout=180s", *(f"pod/on-{name}" for name in names)
        )
        for name, other in zip(names, reversed(names), strict=True):
            there = address(machine_cluster, f"on-{other}")
            assert "1 received" in machine_cluster.nodes[name].run("ping", "-c", "1", there)
    finally:
        machine_cluster.kubectl("delete", "pod", *(f"on-{name}" for name in names))
    until(lambda: not pods(machine_cluster), "the pods are gone")


def sleeper(node: str) -> dict[str, object]:
    """A pod of the pause image, on the CNI bridge of a node."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"on-{node}"},
        "spec": {
            "nodeName": node,
            "containers": [
                {
                    "name": "pause",
                    "image": "xdp-redirect-test/pause:1",
                    "imagePullPolicy": "Never",
                }
            ],
        },
    }


def address(machines: Machines, pod: str) -> str:
    """Of a pod, inside the cluster."""
    return machines.kubectl("get", "pod", pod, "-o", "jsonpath={.status.podIP}")


def pods(machines: Machines) -> list[str]:
    """Names of all of them, in the namespace of tests."""
    return machines.kubectl("get", "pods", "-o", "name").split()
