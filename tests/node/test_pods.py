"""A pod without privileges receives the frames of a queue, on a node with a real kubelet.

What is applied is examples/pods; another image and, for an end, another number of frames.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import ROOT
from tests.kernel.switch import udp
from tests.node.product import NAMESPACE, Product

EXAMPLES = ROOT / "examples" / "pods"
SPACE, PORT, N = "ids", 4789, 200


def example(name: str) -> list[dict[str, Any]]:
    return [*yaml.safe_load_all((EXAMPLES / name).read_text())]


def frames(count: int) -> list[bytes]:
    """Frames of the tunnel that differ in their number."""
    whole = udp(PORT)
    return [whole[:-4] + number.to_bytes(4, "big") for number in range(count)]


class Receivers:
    """Pods like that of the example."""

    def __init__(self, product: Product) -> None:
        self.product = product
        namespace, self._pod = example("receiver.yaml")
        product.apply(namespace)
        account = ["get", "serviceaccount", "default", "-n", SPACE]
        product.until(
            lambda: product.machines.cluster.try_kubectl(account).returncode == 0,
            "the namespace has its service account",
        )

    def add(self, name: str, node: str, app: str = "ids", **spec: Any) -> None:
        """One that ends after N frames, or when it is refused."""
        made = json.loads(json.dumps(self._pod))
        made["metadata"] |= {"name": name, "labels": {"app": app}}
        made["spec"] |= {"nodeName": node, "restartPolicy": "Never", **spec}
        (container,) = made["spec"]["containers"]
        container["image"] = self.product.operator
        container["args"] += ["--count", str(N)]
        self.product.apply(made)

    def logs(self, name: str) -> list[str]:
        """What it has printed; nothing before it runs."""
        words = ["logs", "-n", SPACE, name]
        return self.product.machines.cluster.try_kubectl(words).stdout.splitlines()

    def phase(self, name: str) -> str:
        form = "jsonpath={.status.phase}"
        return self.product.machines.kubectl("get", "pod", "-n", SPACE, name, "-o", form)

    def until_ended(self, name: str, phase: str) -> list[str]:
        """Its whole output."""
        self.product.until(lambda: self.phase(name) in ("Succeeded", "Failed"), f"{name} ends")
        assert self.phase(name) == phase, "\n".join(self.logs(name))
        return self.logs(name)


@pytest.fixture
def handing(installed: Product) -> Iterator[Receivers]:
    """Agents that hand out sockets, with the object of the example."""
    installed.configure("agent.sockets.enabled=true")
    (document,) = example("redirect.yaml")
    installed.apply(document)
    installed.wait_ready("ids")
    form = "jsonpath={.spec.template.spec.volumes[*].name}"
    template = ("get", "daemonset/xdp-redirect-agent", "-n", NAMESPACE, "-o", form)
    # The old leader may have started agents before the new one had read its configuration.
    installed.until(
        lambda: "sockets" in installed.machines.kubectl(*template), "agents are to have sockets"
    )
    installed.until(installed.agents_ready, "agents are Ready")
    yield Receivers(installed)
    installed.machines.kubectl("delete", "namespace", SPACE, "--timeout=120s")
    installed.delete("ids")
    installed.configure()


def test_the_pod_of_the_example_receives_the_exact_frames(handing: Receivers) -> None:
    node, *_ = handing.product.machines.nodes
    handing.add("receiver", node)
    handing.product.until(
        lambda: any("receiving from" in line for line in handing.logs("receiver")),
        "it has its socket",
    )
    sent = frames(N)
    handing.product.wires(node).far["in"].send(sent)
    said = handing.until_ended("receiver", "Succeeded")
    # Two streams, between which a log keeps no order.
    lines = [line for line in said if re.fullmatch("[0-9]+ [0-9a-f]+", line)]
    assert lines == [f"{len(frame)} {frame.hex()}" for frame in sent]
    first, last = (line for line in said if line not in lines)
    assert first == "receiving from queue 0 of in, copied to 2048 frames"
    assert last.startswith(f"{N} frames; lost: 0 ")

    handing.add("stranger", node, app="other")
    assert "(NotGranted)" in "\n".join(handing.until_ended("stranger", "Failed"))
    handing.add("in-host", node, hostNetwork=True)
    assert "(HostNetwork)" in "\n".join(handing.until_ended("in-host", "Failed"))
