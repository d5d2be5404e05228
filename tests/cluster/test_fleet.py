"""Operator, agents and frames together: what changes while everything runs."""

from typing import Any

from tests.cluster.fleet import Fleet, redirect, station
from tests.cluster.nodes import Nodes
from tests.cluster.waiting import until
from tests.kernel.lab import Lab
from tests.kernel.switch import udp

FRAME = udp(7)


def settled(fleet: Fleet, name: str, status: str, reason: str) -> None:
    """Waits until Ready says so about the object as it is now."""

    def holds() -> bool:
        found = fleet.object(name)
        ready = fleet.condition(name)
        return ready.get("observedGeneration") == found["metadata"]["generation"] and (
            ready["status"],
            ready["reason"],
        ) == (status, reason)

    fleet.until(holds, f"{name}: Ready is {status}, {reason}", name)


def label(fleet: Fleet, node: str, word: str) -> None:
    fleet.cluster.kubectl("label", "node", node, word)


def on(**labels: str) -> dict[str, Any]:
    return {"nodeSelector": {"matchLabels": labels}}


def test_paused_waits_detached_lets_go_active_goes_on(nodes: Nodes, lab: Lab) -> None:
    with Fleet(nodes, lab, "node-a") as fleet:
        a = fleet.stations["node-a"]
        fleet.apply(redirect("edge", to="p1"))
        settled(fleet, "edge", "True", "Redirecting")
        fleet.apply(redirect("edge", to="p2", state="Paused"))
        settled(fleet, "edge", "True", "Paused")
        a.deliver([FRAME] * 3, p1=3)
        fleet.apply(redirect("edge", to="p2", state="Detached"))
        settled(fleet, "edge", "True", "Detached")
        until(lambda: not a.attached(), "the kernel has let go")
        a.deliver([FRAME] * 3, stack=3)
        fleet.apply(redirect("edge", to="p2"))
        settled(fleet, "edge", "True", "Redirecting")
        a.deliver([FRAME] * 3, p2=3)


def test_nodes_join_and_leave_while_it_runs(nodes: Nodes, lab: Lab) -> None:
    with Fleet(nodes, lab, "node-a", "node-b") as fleet:
        a, b = fleet.stations["node-a"], fleet.stations["node-b"]
        label(fleet, "node-a", "role=edge")
        fleet.apply(redirect("edge", to="p1", **on(role="edge")))
        settled(fleet, "edge", "True", "Redirecting")
        assert fleet.status("edge")["nodes"]["selected"] == 1
        b.deliver([FRAME] * 2, stack=2)

        label(fleet, "node-b", "role=edge")
        fleet.until(lambda: ready_nodes(fleet) == 2, "node-b has joined", "edge")
        b.deliver([FRAME] * 2, p1=2)

        label(fleet, "node-a", "role-")
        fleet.until(lambda: selected_nodes(fleet) == 1, "node-a has left", "edge")
        until(lambda: not a.attached(), "the kernel has let go")
        a.deliver([FRAME] * 2, stack=2)
        b.deliver([FRAME] * 2, p1=2)

        (c,) = nodes.add("node-c", labels={"role": "edge"})
        newcomer = station(c, lab)
        c.agent.start()
        fleet.until(lambda: ready_nodes(fleet) == 2, "node-c has joined", "edge")
        newcomer.deliver([FRAME] * 2, p1=2)


def ready_nodes(fleet: Fleet) -> int:
    return int(fleet.status("edge")["nodes"]["ready"])


def selected_nodes(fleet: Fleet) -> int:
    return int(fleet.status("edge")["nodes"]["selected"])


def test_a_deleted_node_keeps_its_datapath(nodes: Nodes, lab: Lab) -> None:
    with Fleet(nodes, lab, "node-a", "node-b") as fleet:
        a = fleet.stations["node-a"]
        fleet.apply(redirect("edge", to="p1"))
        settled(fleet, "edge", "True", "Redirecting")
        fleet.cluster.kubectl("delete", "node", "node-a")
        fleet.until(lambda: selected_nodes(fleet) == 1, "node-a is gone", "edge")
        until(lambda: "node-a" not in fleet.wire.names("xdpredirectnodes"), "so is its object")
        a.deliver([FRAME] * 3, p1=3)
        # It may come back: what it does is what it did last, until somebody says otherwise.
        a.node.agent.stop()
        a.node.agent.start()
        a.deliver([FRAME] * 3, p1=3)


def test_of_two_objects_that_disagree_one_says_which_won(nodes: Nodes, lab: Lab) -> None:
    with Fleet(nodes, lab, "node-a") as fleet:
        a = fleet.stations["node-a"]
        fleet.apply(redirect("first", to="p1", priority=1))
        settled(fleet, "first", "True", "Redirecting")
        fleet.apply(redirect("second", to="p2", priority=2, frags="Disabled"))
        settled(fleet, "second", "False", "Conflicted")
        assert "first has precedence on in" in fleet.condition("second")["message"]
        (failing,) = fleet.status("second")["failingNodes"]
        assert failing["name"] == "node-a"
        a.deliver([FRAME] * 3, p1=3)
        fleet.delete("first")
        settled(fleet, "second", "True", "Redirecting")
        a.deliver([FRAME] * 3, p2=3)


def test_the_status_names_why_frames_are_lost(nodes: Nodes, lab: Lab) -> None:
    with Fleet(nodes, lab, "node-a", "node-b") as fleet:
        a, b = fleet.stations["node-a"], fleet.stations["node-b"]
        fleet.apply(redirect("edge", to="p1"))
        settled(fleet, "edge", "True", "Redirecting")
        for number, one in enumerate((a, b)):
            one.node.host.ip("link", "set", "p1", "down")
            one.far["in"].send([FRAME] * (1000 + number))
        fleet.until(lambda: lost(fleet) == 2001, "every lost frame is counted", "edge")
        (loss,) = fleet.status("edge")["losses"]
        assert (loss["reason"], loss["errno"]) == ("TargetDown", "ENETDOWN")
        assert (loss["rule"], loss["nodes"]) == ("all", 2)
        assert "`ip link set p1 up`" in loss["hint"]
        assert fleet.condition("edge", "Degraded")["status"] == "True"


def lost(fleet: Fleet) -> int:
    return int(fleet.status("edge")["traffic"]["lostPackets"])
