"""A pod without privileges receives the frames of a queue, on a node with a real kubelet."""

from collections.abc import Iterator

import pytest

from tests.node.product import NAMESPACE, Product
from tests.node.receivers import Receivers, example, frames, printed

N = 200


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
    made = Receivers(installed, "receiver.yaml")
    yield made
    made.close()
    installed.delete("ids")
    installed.configure()


def test_the_pod_of_the_example_receives_the_exact_frames(handing: Receivers) -> None:
    node, *_ = handing.product.machines.nodes
    words = ("--count", str(N))
    handing.add("receiver", *words, nodeName=node)
    handing.until_taken("receiver")
    sent = frames(N)
    handing.product.wires(node).far["in"].send(sent)
    said = handing.until_ended("receiver", "Succeeded")
    lines = handing.received("receiver")
    assert lines == printed(sent)
    first, last = (line for line in said if line not in lines)
    assert first == "receiving from queue 0 of in, copied to 2048 frames"
    assert last.startswith(f"{N} frames; lost: 0 ")

    handing.add("stranger", *words, app="other", nodeName=node)
    assert "(NotGranted)" in "\n".join(handing.until_ended("stranger", "Failed"))
    handing.add("in-host", *words, nodeName=node, hostNetwork=True)
    assert "(HostNetwork)" in "\n".join(handing.until_ended("in-host", "Failed"))
