"""A NIC of a node that a CNI moves into a pod: the pod brings its own socket, others cannot, and
the cluster is told where the interface is.

Kubelet and CNI are missing; the device is moved by hand.
"""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.fleet import Fleet, redirect
from tests.cluster.nodes import Nodes
from tests.cluster.pod_objects import Pods, cgroup_of, receiver
from tests.cluster.test_pods import sockets
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP, Wire
from tests.kernel.handing import frames, taken
from tests.kernel.lab import Host, Lab

N, OWN = 500, "net1"


@pytest.fixture
def pods(installed: Cluster) -> Iterator[Pods]:
    made = Pods(installed)
    yield made
    made.close()


def standing(cluster: Cluster, node: str) -> dict[str, Any]:
    """How the object stands there."""
    found = Wire(cluster).request("GET", f"{GROUP}/xdpredirectnodes/{node}").body
    (entry,) = found.get("status", {}).get("redirects", [{}])
    return dict(entry)


def received(pod: Host) -> int:
    """Frames that the device has received since it was made."""
    (link,) = json.loads(pod.ip("-s", "-j", "link", "show", OWN))
    return int(link["stats64"]["rx"]["packets"])


def says_away(entry: dict[str, Any]) -> bool:
    return any("InterfaceAway" in i.get("message", "") for i in entry.get("interfaces", []))


def test_a_pod_receives_from_the_nic_that_it_was_given(
    nodes: Nodes, lab: Lab, pods: Pods, installed: Cluster
) -> None:
    with Fleet(nodes, lab, "node-a") as fleet, ExitStack() as stack:
        here = fleet.stations["node-a"]
        directory = here.node.host.state_dir / "sockets"
        granted, neighbour = pods.add("granted", "node-a"), pods.add("neighbour", "node-a")
        cgroup = stack.enter_context(cgroup_of(granted))
        fleet.apply(redirect("ids", to="p1", rules=sockets(app="ids")))
        fleet.wait_ready("ids")
        until((directory / "broker.sock").exists, "the broker")
        pod, other = lab.host("pod"), lab.host("other")
        here.node.host.ip("link", "set", "in", "netns", pod.netns, "name", OWN)
        pod.ip("link", "set", OWN, "up")

        with receiver(pod, directory, cgroup, "--count", str(N), own=OWN) as process:
            taken(process)
            sent = frames(N)
            here.far["in"].send(sent)
            output, _ = process.communicate(timeout=60)
        *lines, last = output.splitlines()
        assert lines == [f"{len(frame)} {frame.hex()}" for frame in sent]
        assert last.startswith(f"{N} frames; lost: 0 ")

        fleet.until(lambda: says_away(standing(installed, "node-a")), "the node says where", "ids")
        entry = standing(installed, "node-a")
        assert entry["state"] == "Active"
        assert "in another network namespace" in entry["message"]
        fleet.wait_ready("ids")

        # A pod that is granted the queue as well, and has not got the device.
        lab.veth(("other", OWN), ("far-away", OWN))
        cgroup = stack.enter_context(cgroup_of(neighbour))
        with receiver(other, directory, cgroup) as process:
            output, _ = process.communicate(timeout=60)
        assert "(InterfaceAway)" in output
        with receiver(other, directory, cgroup, "--count", "1", own=OWN) as process:
            taken(process)
            here.far["in"].send(frames(9))
            until(lambda: received(pod) == N + 9, "the device has them")
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        assert [line for line in output.splitlines() if line.startswith("0 frames; ")], output
