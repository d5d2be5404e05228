"""A NIC of a node that a CNI moves into a pod with DPDK: the pod gets the map of the NIC by
protocol DevicePlugin, from an object that selects it.

Kubelet and CNI are missing; the device is moved by hand.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.fleet import Fleet, redirect
from tests.cluster.nodes import Nodes
from tests.cluster.pod_objects import Pods, cgroup_of
from tests.cluster.test_pods import sockets
from tests.cluster.test_pods_moved import says_away, standing
from tests.cluster.waiting import until
from tests.kernel.handing import frames
from tests.kernel.lab import Lab
from tests.kernel.testpmd import of_page, running

N, BURST, OWN, SECONDS = 500, 50, "net1", 60.0
WORDS = of_page(f"iface={OWN},use_cni=1")


@pytest.fixture
def pods(installed: Cluster) -> Iterator[Pods]:
    made = Pods(installed)
    yield made
    made.close()


def test_dpdk_in_a_pod_gets_the_map_of_the_nic_that_it_was_given(
    nodes: Nodes, lab: Lab, pods: Pods, installed: Cluster
) -> None:
    rules = sockets(app="ids")
    rules[0]["action"]["sockets"] |= {"protocol": "DevicePlugin", "access": "ReceiveTransmit"}
    with Fleet(nodes, lab, "node-a") as fleet, ExitStack() as stack:
        here = fleet.stations["node-a"]
        dut, pod = here.node.host, lab.host("pod")
        uid = pods.add("dpdk", "node-a")
        cgroup = stack.enter_context(cgroup_of(uid))
        fleet.apply(redirect("ids", to="p1", rules=rules))
        fleet.wait_ready("ids")
        until((dut.state_dir / "sockets/afxdp_dp/in/afxdp.sock").exists, "the server")
        dut.ip("link", "set", "in", "netns", pod.netns, "name", OWN)
        pod.ip("link", "set", OWN, "up")
        enter = ("sh", "-c", f'echo $$ > {cgroup}/cgroup.procs && exec "$@"', "sh")
        with running(dut, pod, enter, WORDS) as client:
            client.forwards()
            sent = frames(N)
            with here.far["in"].counter() as back:
                for start in range(0, N, BURST):
                    here.far["in"].send(sent[start : start + BURST])
                    back.wait(start + BURST, SECONDS)
                assert back.exactly(N) == sent
        words = f"map of in: handed to process {client.process.pid} of user 65534 in pod {uid}"
        assert words in here.evidence()
        fleet.until(lambda: says_away(standing(installed, "node-a")), "the node says where", "ids")
        fleet.wait_ready("ids")
