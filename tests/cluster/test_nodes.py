"""Nodes of both kinds: the control plane takes them for real ones."""

import json

from tests.cluster.cluster import Cluster
from tests.cluster.installed import AGENT, SYSTEM
from tests.cluster.kwok import Kwok
from tests.cluster.nodes import Nodes
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP, Wire
from tests.kernel.lab import Lab

NODE_CLAIM = "authentication.kubernetes.io/node-name"


def daemon_set(name: str) -> dict:
    """Pods on every node labelled fleet=name."""
    labels = {"app": name}
    pod = {
        "nodeSelector": {"fleet": name},
        "containers": [{"name": "a", "image": "none"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def test_pods_of_a_daemon_set_run_on_simulated_nodes(cluster: Cluster, kwok: Kwok) -> None:
    names = [f"simulated-{number}" for number in range(5)]
    kwok.register(names, {"fleet": "five"})
    try:
        cluster.create([daemon_set("five")])
        running = ["-o", "jsonpath={.status.numberReady}"]
        until(
            lambda: cluster.kubectl("get", "daemonset", "five", *running) == "5",
            "a pod is ready on every node",
            evidence=kwok.process.tail,
        )
        pods = json.loads(cluster.kubectl("get", "pods", "-l", "app=five", "-o", "json"))["items"]
        assert sorted(pod["spec"]["nodeName"] for pod in pods) == names
    finally:
        cluster.kubectl("delete", "daemonset", "five", "--ignore-not-found")
        kwok.remove(names)
    assert not set(names) & kwok.ready()


def test_a_namespace_node_reaches_the_api_server_as_its_agent(nodes: Nodes, lab: Lab) -> None:
    node = nodes.add("near")[0]
    lab.veth(("near", "p1"), ("far", "eth0"))
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    with node.host.enter():
        wire = Wire(node.cluster, node.token)
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        user = wire.request("POST", path, review).body["status"]["userInfo"]
        assert wire.request("GET", f"{GROUP}/xdpredirectnodes").status == 200
    assert user["username"] == f"system:serviceaccount:{SYSTEM}:{AGENT}"
    assert user["extra"][NODE_CLAIM] == ["near"]


def test_two_namespace_nodes_share_nothing_but_the_bridge(nodes: Nodes) -> None:
    one, two = nodes.add("one", "two")
    assert one.address != two.address
    assert one.host.bpffs != two.host.bpffs
    assert one.token != two.token
    one.host.run(["ping", "-c", "1", "-W", "5", two.address])
    one.host.run(["ping", "-c", "1", "-W", "5", one.cluster.network.address])
