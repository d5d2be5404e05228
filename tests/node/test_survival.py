"""What happens to nodes of a cluster, while frames flow: none is lost that the node could carry."""

import os
import signal
from typing import Any

from tests.cluster.fleet import redirect
from tests.kernel.switch import udp
from tests.node.product import NAMESPACE, Product
from tests.node.traffic import Traffic

FRAME = udp(7)
OPERATOR = "app.kubernetes.io/component=operator"


def test_kubelet_restarts(redirecting: Product) -> None:
    before = agents(redirecting)
    with Traffic(redirecting, "p1") as traffic:
        for node in redirecting.machines.nodes.values():
            node.kubelet.stop()
        told = redirecting.machines.heartbeats()
        for node in redirecting.machines.nodes.values():
            node.start_kubelet()
        traffic.until(lambda: heard(redirecting, told), "both kubelets report again")
        traffic.until(redirecting.agents_ready, "agents are Ready")
        traffic.until(lambda: answer(redirecting), "one can look into the containers")
    assert agents(redirecting) == before, "an agent was started again"


def test_containerd_is_killed_and_starts_again(redirecting: Product) -> None:
    before = agents(redirecting)
    with Traffic(redirecting, "p1") as traffic:
        for node in redirecting.machines.nodes.values():
            node.containerd.stop(signal.SIGKILL)
            node.start_containerd()
        traffic.drain()
        # Kubelet, the new containerd and the shim of the container that it found.
        traffic.until(lambda: answer(redirecting), "one can look into the containers")
        traffic.until(redirecting.agents_ready, "agents are Ready")
    assert agents(redirecting) == before, "an agent was started again"


def test_an_agent_that_is_killed_starts_again(redirecting: Product) -> None:
    were = restarts(redirecting)
    with Traffic(redirecting, "p1") as traffic:
        for node in redirecting.machines.nodes.values():
            for pid in node.processes("xdpredirect agent"):
                os.kill(pid, signal.SIGKILL)

        def restarted() -> bool:
            now = restarts(redirecting)
            return now.keys() == were.keys() and all(now[name] > were[name] for name in were)

        traffic.until(restarted, "kubelet counts a restart")
        traffic.until(redirecting.agents_ready, "agents are Ready")


def test_a_drained_node_goes_on_and_hears_of_changes(redirecting: Product) -> None:
    kubectl = redirecting.machines.kubectl
    first, *others = redirecting.machines.nodes
    with Traffic(redirecting, "p1") as traffic:
        kubectl("drain", first, "--ignore-daemonsets", "--timeout=100s")
        traffic.until(lambda: operators(redirecting) == set(others), "the operators have moved")
    try:
        change(redirecting, to="p2")
        redirecting.wires(first).deliver([FRAME] * 6, p2=6)
        change(redirecting, to="p1")
    finally:
        kubectl("uncordon", first)
    redirecting.wires(first).deliver([FRAME] * 7, p1=7)


def test_a_rebooted_node_redirects_again_and_the_others_never_stopped(
    redirecting: Product,
) -> None:
    first, last = redirecting.machines.nodes
    with Traffic(redirecting, "p1", [first]) as traffic:
        redirecting.machines.reboot(last)
        traffic.until(lambda: redirecting.wires(last).attached() == ["in"], "the node is back")
        traffic.until(redirecting.agents_ready, "agents are Ready")
    redirecting.wait_ready("edge")
    redirecting.wires(last).deliver([FRAME] * 8, p1=8)


def change(product: Product, to: str) -> None:
    """Another target for all frames; returns when every node has acted on it."""
    product.apply(redirect("edge", to=to))
    wanted = product.generation("edge")
    product.until(lambda: product.ready_generation("edge") == wanted, f"frames go to {to}")


def heard(product: Product, before: dict[str, str]) -> bool:
    """Whether every kubelet has reported since."""
    now = product.machines.heartbeats()
    return all(now[node] != told for node, told in before.items())


def answer(product: Product) -> bool:
    """Whether each agent's container tells somebody who looks into it what runs there."""
    asked = [
        product.machines.cluster.try_kubectl(
            ["exec", "-n", NAMESPACE, pod["metadata"]["name"], "--", "xdpredirect", "status"]
        )
        for pod in product.agents().values()
    ]
    return all(done.returncode == 0 and "edge" in done.stdout for done in asked)


def agents(product: Product) -> dict[str, str]:
    """The agent's container on each node."""
    return {node: str(_container(pod).get("containerID")) for node, pod in product.agents().items()}


def restarts(product: Product) -> dict[str, int]:
    """Of the agent's container on each node."""
    return {
        node: int(_container(pod).get("restartCount", 0)) for node, pod in product.agents().items()
    }


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    """Its only one; a pod of a moment ago has none yet."""
    (found,) = pod["status"].get("containerStatuses", [{}])
    return dict(found)


def operators(product: Product) -> set[str]:
    """Nodes on which an operator is Ready, when both are."""
    words = ["get", "pods", "-n", NAMESPACE, "-l", OPERATOR, "--no-headers", "-o"]
    form = "custom-columns=A:.spec.nodeName,B:.status.containerStatuses[0].ready"
    rows = [row.split() for row in product.machines.kubectl(*words, form).splitlines()]
    return {node for node, ready in rows if ready == "true"} if len(rows) == 2 else set()
