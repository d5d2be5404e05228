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
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.cluster.pod_objects import cgroup_of
from tests.kernel.connector import connected
from tests.kernel.handing import PYTHON_PATH
from tests.kernel.lab import Host, Lab, Port
from tests.kernel.lifecycle import until
from tests.kernel.moving import OWN, Moving, interface
from tests.kernel.switch import CATCH_ALL, INGRESS, redirect, rule
from tests.kernel.testpmd import Testpmd, running
from tests.unit.xsk.plugin import Client
from xdpredirect.agent.pods_file import write_pods
from xdpredirect.api.load import load_text
from xdpredirect.api.node_pods import NodePod, NodePods
from xdpredirect.datapath.sockets import pod_in

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
        self.want_object(redirect(rule("r", CATCH_ALL, action), **spec), pods)

    def want_object(self, text: str, pods: tuple[str, ...] = (A,)) -> None:
        """The same for a whole object of one rule."""
        loaded = load_text(text.replace("MODE", "Native"), "the test")
        (document,), (wanted,) = loaded.documents, loaded.redirects
        self.generation += 1
        document = {**document, "metadata": {"name": wanted.name, "generation": self.generation}}
        listed = tuple(
            NodePod(rule=wanted.spec.rules[0].name, namespace="ids", name=f"pod-{number}", uid=uid)
            for number, uid in enumerate(pods)
        )
        write_pods(self.dut.state_dir, {wanted.name: NodePods(listed=listed)})
        new = self.files / ".new"
        new.write_text(json.dumps(document))
        new.rename(self.files / f"xdpredirect.{wanted.name}.json")

    def agent(
        self, *before: str, files: Path | None = None
    ) -> AbstractContextManager[subprocess.Popen[str]]:
        """As every one. It takes the directory of a cluster's objects over from the one before
        only when that has left no word whose they are, for it has no cluster itself."""
        (self.dut.state_dir / "status.json").unlink(missing_ok=True)
        return super().agent(*before, files=files)

    @property
    def server(self) -> Path:
        """Where DPDK finds the server."""
        return self.dut.state_dir / "sockets" / "afxdp_dp" / INGRESS / "afxdp.sock"

    def serves(self) -> None:
        """Waits for the server. One that was killed leaves a socket that nobody answers."""
        until(self._answers, "the server of the device plugin's protocol")

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as made, suppress(OSError):
            made.connect(str(self.server))
            return True
        return False

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
        return running(self.dut, pod.host, pod.enter(), words, also=OWN)

    def twin(self, pod: Pod) -> None:
        """Gives the pod a device of its own with name and number of the one that is moved."""
        number, peer = str(self.near.ifindex), ("name", "twin", "index", "99")
        pod.host.ip("link", "add", OWN, "index", number, "type", "veth", "peer", *peer)
        for name in (OWN, "twin"):
            pod.host.ip("link", "set", name, "up")

    def program(self) -> str:
        """Name of the generation that runs; empty without one."""
        return str(interface(self)["program"])

    def matched(self) -> int:
        """Frames that the rule took."""
        return int(interface(self)["rules"][0]["counters"]["packets"])

    def holders(self) -> set[str]:
        """UIDs of the pods whose map runs, empty for nobody's; two while programs are swapped."""
        found = self.dut.bpffs.glob("xdpredirect/interfaces/in/*/map-plugin*")
        return {pod_in(path.name.removeprefix("map-")) for path in found}

    @contextmanager
    def client(self, where: Pod | Host) -> Iterator[Client]:
        """A conversation of root's in a pod, or of a process of no pod on a host of the lab."""
        host, before = (where.host, where.enter()) if isinstance(where, Pod) else (where, ())
        with (
            connected(host, self.server, *before, path=PYTHON_PATH) as (connection, _),
            Client(self.server, connected=connection) as client,
        ):
            yield client

    def log(self) -> str:
        """What the agent has said."""
        return (self.dut.state_dir / "agent.log").read_text()
