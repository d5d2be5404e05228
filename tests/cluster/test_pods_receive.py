"""From a Pod to the first frame in its memory: API server, operator, agent, kernel.

Kubelet and container alone are missing; tests/node has them.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.fleet import Fleet, redirect
from tests.cluster.nodes import Nodes
from tests.cluster.pod_objects import OTHER, Pods, cgroup_of, receiver
from tests.cluster.test_pods import sockets
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP
from tests.kernel.handing import frames, taken
from tests.kernel.lab import Lab

N = 500


@pytest.fixture
def pods(installed: Cluster) -> Iterator[Pods]:
    made = Pods(installed)
    yield made
    made.close()


def knows_pods(fleet: Fleet, count: int) -> bool:
    """Whether the agent of node-a has acted on a spec that names so many: the first may have come
    before the operator knew of any."""
    body = fleet.wire.request("GET", f"{GROUP}/xdpredirectnodes/node-a").body
    (entry,) = body["spec"]["redirects"]
    observed = body.get("status", {}).get("observedRevision", 0)
    return len(entry.get("pods", ())) == count and observed >= body["spec"]["revision"]


def test_a_pod_receives_what_it_is_granted_and_no_other_does(
    nodes: Nodes, lab: Lab, pods: Pods
) -> None:
    with Fleet(nodes, lab, "node-a", "node-b") as fleet, ExitStack() as stack:
        here = fleet.stations["node-a"]
        directory = here.node.host.state_dir / "sockets"
        granted = pods.add("granted", "node-a")
        refused = {
            pods.add("host", "node-a", hostNetwork=True): "HostNetwork",
            pods.add("elsewhere", "node-a", OTHER): "NotGranted",
            pods.add("on-another-node", "node-b"): "NotGranted",
        }
        fleet.apply(redirect("ids", to="p1", rules=sockets(app="ids")))
        fleet.wait_ready("ids")
        fleet.until(lambda: knows_pods(fleet, 2), "node-a acts on its two pods", "ids")
        until((directory / "broker.sock").exists, "the broker")
        client = lab.host("client")

        for uid, reason in refused.items():
            cgroup = stack.enter_context(cgroup_of(uid))
            with receiver(client, directory, cgroup) as process:
                output, _ = process.communicate(timeout=180)
            assert process.returncode == 1, output
            assert f"({reason})" in output

        cgroup = stack.enter_context(cgroup_of(granted))
        with receiver(client, directory, cgroup, "--count", str(N)) as process:
            taken(process)
            sent = frames(N)
            here.far["in"].send(sent)
            output, _ = process.communicate(timeout=180)
        *lines, last = output.splitlines()
        assert lines == [f"{len(frame)} {frame.hex()}" for frame in sent]
        assert last.startswith(f"{N} frames; lost: 0 ")

        # The pod ends: so does its grant, though its process would go on.
        with receiver(client, directory, cgroup) as process:
            taken(process)
            pods.remove("granted")
            output, _ = process.communicate(timeout=180)
        assert process.returncode == 1, output
        assert "(Withdrawn)" in output
        fleet.until(
            lambda: fleet.condition("ids", "Degraded").get("reason") == "HostNetwork",
            "people are told of the pod in the host's network",
            "ids",
        )
