"""A pod that has a NIC of its node receives its frames, on a node with a real kubelet.

What is applied is examples/pods/own-device.yaml. Multus is missing: the NIC is moved by hand, into
the namespace that the CNI has made.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.node.machine import Machine
from tests.node.receivers import Receivers, example, frames, printed
from tests.node.test_pods import N, handing

__all__ = ["handing"]
POD, NIC, OWN = "own-device", "in", "net1"
ADDRESS = ".status.podIP"


def inside(pid: int, *words: str) -> str:
    """`ip` in the network namespace of a process."""
    argv = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


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


def test_the_pod_with_a_nic_receives_the_exact_frames(handing: Receivers) -> None:
    product = handing.product
    node, machine = next(iter(product.machines.nodes.items()))
    (pod,) = example("own-device.yaml")
    pod["spec"] |= {"nodeName": node}
    (container,) = pod["spec"]["containers"]
    container["image"] = product.operator
    product.apply(pod)
    product.until(lambda: sandbox(machine, handing.get(POD, ADDRESS)), "the pod has a namespace")
    with moved(machine, sandbox(machine, handing.get(POD, ADDRESS))):
        # It has looked for its device too early, and is started again.
        said = "receiving from queue 0 of in, copied to 2048 frames"
        product.until(lambda: said in handing.logs(POD), "it has its socket", 300)
        sent = frames(N)
        product.wires(node).far[NIC].send(sent)
        product.until(lambda: len(handing.received(POD)) >= N, "it prints them")
        assert handing.received(POD) == printed(sent)
    product.wait_ready("ids")
    handing.add("receiver", "--count", str(N), nodeName=node)
    handing.until_taken("receiver")  # The device is the node's again.
    product.wires(node).far[NIC].send(sent)
    handing.until_ended("receiver", "Succeeded")
