"""A NIC of the host with the agent, moved into a pod that speaks the device plugin's protocol.

Used by test_dpdk_pods*.py. The agent reads what is wanted, and which pods are whose clients, where
its source in a cluster would have written it; a pod is a network namespace and a cgroup.

    p = PodHanding(lab)
    p.want(whole())
    with p.agent(), p.pod_of(A) as a:
        p.serves()
        p.move()
        with p.testpmd(a) as client: ...
"""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.cluster.pod_objects import cgroup_of
from tests.kernel.lab import Host, Lab, Port
from tests.kernel.lifecycle import until
from tests.kernel.moving import OWN, Moving
from tests.kernel.switch import CATCH_ALL, INGRESS, redirect, rule
from tests.kernel.testpmd import Testpmd, running
from xdpredirect.agent.pods_file import write_pods
from xdpredirect.api.load import load_text
from xdpredirect.api.node_pods import NodePod, NodePods

A, B = "6e1a0f1c-58c8-4f2e-9a51-000000000001", "6e1a0f1c-58c8-4f2e-9a51-000000000002"
_SELECTED = "{namespace: ids, podSelector: {matchLabels: {app: dpdk}}}"


def whole(on_miss: str = "Drop") -> str:
    """The action."""
    client = f"clients: [{{type: Pods, pods: {_SELECTED}}}]"
    given = f"queues: '0', {client}, protocol: DevicePlugin, access: ReceiveTransmit"
    return f"{{type: Sockets, sockets: {{{given}}}, onMiss: {on_miss}}}"


@dataclass(frozen=True)
class Pod:
    """Its processes run on `host` and in `cgroup`."""

    uid: str
    host: Host
    cgroup: Path

    def enter(self) -> tuple[str, ...]:
        """What runs the rest of a command line as a process of the pod."""
        return ("sh", "-c", f'echo $$ > {self.cgroup}/cgroup.procs && exec "$@"', "sh")


class PodHanding(Moving):
    """`pod` is where the device is moved to unless another is named."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        super().__init__(lab, lab.host("dut").state_dir / "node")
        self.generation = 0

    def want(self, action: str, pods: tuple[str, ...] = (A,), **spec: object) -> None:
        """One rule for every frame of `in`, with these pods of the node as its clients."""
        text = redirect(rule("r", CATCH_ALL, action), **spec).replace("MODE", "Native")
        (document,) = load_text(text, "the test").documents
        self.generation += 1
        document = {**document, "metadata": {"name": "o", "generation": self.generation}}
        listed = tuple(
            NodePod(rule="r", namespace="ids", name=f"pod-{number}", uid=uid)
            for number, uid in enumerate(pods)
        )
        write_pods(self.dut.state_dir, {"o": NodePods(listed=listed)})
        new = self.files / ".new"
        new.write_text(json.dumps(document))
        new.rename(self.files / "xdpredirect.o.json")

    @property
    def server(self) -> Path:
        """Where DPDK finds the server."""
        return self.dut.state_dir / "sockets" / "afxdp_dp" / INGRESS / "afxdp.sock"

    def serves(self) -> None:
        """Waits for the server."""
        until(self.server.exists, "the socket of the device plugin's protocol")

    @contextmanager
    def pod_of(self, uid: str, name: str = "pod") -> Iterator[Pod]:
        """A pod on this host of the lab."""
        host = self.pod if name == "pod" else self._lab.host(name)
        with cgroup_of(uid) as cgroup:
            yield Pod(uid, host, cgroup)

    def give(self, pod: Pod) -> None:
        """Moves the device from the node into this pod."""
        self.dut.ip("link", "set", INGRESS, "netns", pod.host.netns, "name", OWN)
        pod.host.ip("link", "set", OWN, "up")

    def take_back(self, pod: Pod) -> None:
        """As a CNI does it, when the pod ends."""
        pod.host.ip("link", "set", OWN, "netns", self.dut.netns, "name", INGRESS)
        self.dut.ip("link", "set", INGRESS, "up")

    def port(self, pod: Pod) -> Port:
        """The device as the pod has it."""
        return replace(self.near, host=pod.host, name=OWN)

    def testpmd(self, pod: Pod, *words: str) -> AbstractContextManager[Testpmd]:
        """DPDK in the pod."""
        return running(self, pod.host, pod.enter(), words)

    def log(self) -> str:
        """What the agent has said."""
        return (self.dut.state_dir / "agent.log").read_text()
