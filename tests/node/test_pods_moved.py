"""A pod that has a NIC of its node receives its frames, on a node with a real kubelet.

What is applied is examples/pods/own-device.yaml. Multus is missing: the NIC is moved by hand, into
the namespace that the CNI has made.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from tests.node.machine import Machine
from tests.node.test_pods import EXAMPLES, SPACE, N, Receivers, frames, handing

__all__ = ["handing"]
POD, NIC, OWN = "own-device", "in", "net1"


def inside(pid: int, *words: str) -> str:
    """`ip` in the network namespace of a process."""
    argv = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def address_of(pods: Receivers) -> str:
    form = "jsonpath={.status.podIP}"
    return pods.product.machines.kubectl("get", "pod", "-n", SPACE, POD, "-o", form)


def sandbox(machine: Machine, address: str) -> int:
    """The process that keeps the namespaces of the pod with this address; 0 without one."""
    found = machine.processes("pause") if address else []
    return next((pid for pid in found if f" {address}/" in inside(pid, "address")), 0)


@contextmanager
def moved(machine: Machine, pid: int) -> Iterator[None]:
    """The NIC is the pod's; it would end with the pod, being a veth."""
    machine.host.ip("link", "set", NIC, "netns", str(pid), "name", OWN)
    try:
        inside(pid, "link", "set", OWN, "up")
        yield
    finally:
        back = f"/run/netns/{machine.host.netns}"
        inside(pid, "link", "set", OWN, "netns", back, "name", NIC)
        machine.host.ip("link", "set", NIC, "up")


def printed(pods: Receivers) -> list[str]:
    """The frames in its log."""
    return [line for line in pods.logs(POD) if re.fullmatch("[0-9]+ [0-9a-f]+", line)]


def test_the_pod_with_a_nic_receives_the_exact_frames(handing: Receivers) -> None:
    product = handing.product
    node, machine = next(iter(product.machines.nodes.items()))
    pod = yaml.safe_load((EXAMPLES / "own-device.yaml").read_text())
    pod["spec"] |= {"nodeName": node}
    (container,) = pod["spec"]["containers"]
    container["image"] = product.operator
    product.apply(pod)
    product.until(lambda: sandbox(machine, address_of(handing)), "the pod has a namespace")
    with moved(machine, sandbox(machine, address_of(handing))):
        # It has looked for its device too early, and is started again.
        said = "receiving from queue 0 of in, copied to 2048 frames"
        product.until(lambda: said in handing.logs(POD), "it has its socket", 300)
        sent = frames(N)
        product.wires(node).far[NIC].send(sent)
        product.until(lambda: len(printed(handing)) >= N, "it prints them")
        assert printed(handing) == [f"{len(frame)} {frame.hex()}" for frame in sent]
    product.wait_ready("ids")
    handing.add("receiver", node)
    product.until(lambda: handing.logs("receiver"), "the device is the node's again")
    product.wires(node).far[NIC].send(sent)
    handing.until_ended("receiver", "Succeeded")
