"""The whole path: kubectl apply, frames redirected on every node, the truth in the status."""

from tests.cluster.fleet import Fleet, Station, redirect
from tests.cluster.nodes import Nodes
from tests.cluster.waiting import until
from tests.kernel.lab import Lab
from tests.kernel.switch import udp

FRAME = udp(7)
# Counters would come after half a minute.
SOON = {"XDPREDIRECT_RESYNC_SECONDS": "1", "XDPREDIRECT_REPORT_SECONDS": "1"}


def test_apply_update_delete(nodes: Nodes, lab: Lab) -> None:
    made = Fleet(nodes, lab, "node-a", "node-b")
    for station in made.stations.values():
        station.node.equip(**SOON)
    with made as fleet:
        a, b = fleet.stations["node-a"], fleet.stations["node-b"]
        a.deliver([FRAME] * 2, stack=2)

        fleet.apply(redirect("edge", to="p1"))
        fleet.wait_ready("edge")
        a.deliver([FRAME] * 9, p1=9)
        b.deliver([FRAME] * 5, p1=5)
        status = fleet.status("edge")
        assert status["observedGeneration"] == 1
        assert {key: status["nodes"][key] for key in ("selected", "ready", "failed")} == {
            "selected": 2,
            "ready": 2,
            "failed": 0,
        }
        assert status["interfaces"]["native"] == 2
        assert row(fleet) == ["edge", "True", "Redirecting", "False", "2", "2", "0", "0"]

        fleet.apply(redirect("edge", to="p2"))
        fleet.until(
            lambda: fleet.condition("edge").get("observedGeneration") == 2,
            "the status is about the second generation",
            "edge",
        )
        fleet.wait_ready("edge")
        a.deliver([FRAME] * 4, p2=4)
        b.deliver([FRAME] * 3, p2=3)
        # Nothing has changed but them.
        fleet.until(lambda: redirected(fleet) == 21, "all frames are counted", "edge")

        fleet.delete("edge")
        until(lambda: not attached(a, b), "the kernel has let go")
        a.deliver([FRAME] * 2, stack=2)
        b.deliver([FRAME] * 2, stack=2)
        assert a.node.host.pins() == b.node.host.pins() == []


def attached(*stations: Station) -> list[str]:
    return [nic for station in stations for nic in station.attached()]


def redirected(fleet: Fleet) -> int:
    return int(fleet.status("edge")["traffic"]["redirectedPackets"])


def row(fleet: Fleet) -> list[str]:
    """What `kubectl get` prints, without the age."""
    return fleet.cluster.kubectl("get", "xdpr", "edge", "--no-headers").split()[:-1]
