"""From a ResourceClaim to the exact frames in a restricted pod: nothing in between is the test's.

The product is installed by Helm with claims, the pod is that of the example, kubelet and containerd
are real. What a container is given, and a kubelet that starts again, are in test_claims.py; what
claims keep from whom is in tests/cluster.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.node.processes import root_options, status
from tests.node.product import NAMESPACE, Product
from tests.node.receivers import SPACE, Receivers, example, frames, printed

N = 200
LEFT = "from xdpredirect.xsk.memory_limit import memory_left as left; print(left())"
# CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK, CAP_PERFMON, CAP_BPF
CAPABILITIES = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 38 | 1 << 39
# Of the chart's agents, and of what `xdpredirect receive` takes.
MEMORY_LIMIT, SOCKET = 512 << 20, 4 << 20


class Claimants(Receivers):
    """Pods of the example, and what the cluster says of their queues."""

    def __init__(self, product: Product) -> None:
        super().__init__(product, "claimant.yaml")

    def offered(self) -> dict[str, list[str]]:
        """Names of devices, by node."""
        found: dict[str, list[str]] = {}
        for item in self._list("resourceslices"):
            names = [device["name"] for device in item["spec"].get("devices", [])]
            found.setdefault(item["spec"]["nodeName"], []).extend(names)
        return found

    def claims(self) -> list[str]:
        """Names of those that there are."""
        return [item["metadata"]["name"] for item in self._list("resourceclaims", "-n", SPACE)]

    def holders(self) -> list[tuple[str, str, str]]:
        """Node, UID of the pod and state of each socket, by the status of node objects."""
        return [
            (item["metadata"]["name"], one["pod"], one["state"])
            for item in self._list("xdpredirectnodes")
            for entry in item.get("status", {}).get("redirects", [])
            for one in entry.get("sockets", [])
        ]

    def scheduled(self, name: str) -> str:
        """Why it is not, in the scheduler's words; empty before it has said so, and after."""
        return self.get(name, '.status.conditions[?(@.type=="PodScheduled")].message')

    def _list(self, *words: str) -> list[dict[str, Any]]:
        return list(json.loads(self.product.machines.kubectl("get", *words, "-o", "json"))["items"])


def memory_left(product: Product, node: str) -> int:
    """Octets, as the agent of a node finds them."""
    pod = product.agents()[node]["metadata"]["name"]
    python = ["/opt/xdpredirect/bin/python", "-c", LEFT]
    return int(product.machines.kubectl("exec", "-n", NAMESPACE, pod, "--", *python))


@pytest.fixture
def claimants(installed: Product) -> Iterator[Claimants]:
    """Agents whose queues pods may claim, as ci/claims-values.yaml of the chart has them."""
    installed.configure("agent.sockets.enabled=true", "agent.sockets.claims=true")
    (document,) = example("redirect.yaml")
    installed.apply(document)
    installed.wait_ready("ids")
    installed.until(installed.agents_ready, "agents are Ready")
    made = Claimants(installed)
    offered = {node: ["in-0"] for node in installed.machines.nodes}
    installed.until(lambda: made.offered() == offered, "a queue of each node is offered")
    yield made
    made.close()
    installed.delete("ids")
    installed.until(lambda: made.offered() == {}, "nothing is offered any more")
    installed.configure()


def test_a_claimed_queue_brings_the_exact_frames_and_is_free_afterwards(
    claimants: Claimants,
) -> None:
    product = claimants.product
    claimants.add("claimant")
    claimants.until_taken("claimant")
    name, uid = (
        claimants.get("claimant", ".spec.nodeName"),
        claimants.get("claimant", ".metadata.uid"),
    )
    node, far = product.machines.nodes[name], product.wires(name).far["in"]
    product.until(lambda: claimants.holders() == [(name, uid, "Held")], "the status names the pod")
    # What the agent may do, with all of this: nothing beyond what docs/security.md lists.
    (agent,) = node.processes("xdpredirect agent")
    assert int(status(agent)["CapEff"], 16) == CAPABILITIES
    assert int(status(agent)["CapBnd"], 16) == CAPABILITIES
    assert "ro" in root_options(agent)
    # It sees the limit of its container, which the socket has used some of by now.
    assert 0 < memory_left(product, name) < MEMORY_LIMIT - SOCKET

    # The node has one queue.
    only_here = {"kubernetes.io/hostname": name}
    claimants.add("next", "--count", str(N), nodeSelector=only_here)
    product.until(lambda: "cannot allocate" in claimants.scheduled("next"), "it has to wait")
    sent = frames(N)
    far.send(sent)
    product.until(lambda: len(claimants.received("claimant")) >= N, "frames")
    assert claimants.received("claimant") == printed(sent)

    claimants.delete("claimant")
    claimants.until_taken("next")
    sent = frames(N, first=N)
    far.send(sent)
    said = claimants.until_ended("next", "Succeeded")
    assert claimants.received("next") == printed(sent)
    assert any(line.startswith(f"{N} frames; lost: 0 ") for line in said), said

    # A pod that has ended has no claim any more: the controller deletes it, kubelet gives it back.
    product.until(lambda: claimants.claims() == [], "no claim is left")
    product.until(lambda: claimants.holders() == [], "the status names nobody")
    cdi = node.root / "run/cdi"
    product.until(lambda: [*cdi.iterdir()] == [], "the runtime is told of none")
    assert claimants.offered()[name] == ["in-0"]
