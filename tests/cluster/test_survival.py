"""What dies while frames flow: nothing of it loses a frame, and what comes back changes nothing."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tests.cluster.fleet import PLURAL, Fleet, redirect
from tests.cluster.installed import SYSTEM
from tests.cluster.nodes import Nodes
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP
from tests.kernel.lab import Lab
from tests.kernel.switch import udp

FRAME = udp(7)
FRAMES_PER_SECOND = 250
# The operator renews its lease every few seconds: this many are longer than any period of ours.
RENEWALS = 12


def writes(fleet: Fleet, since: int) -> list[Mapping[str, Any]]:
    """Entries of the audit log from that octet on, by our service accounts."""
    with fleet.cluster.control_plane.audit_log.open("rb") as log:
        log.seek(since)
        lines = log.read().split(b"\n")[:-1]
    accounts = f"system:serviceaccount:{SYSTEM}:"
    events = [json.loads(line) for line in lines]
    return [event for event in events if event["user"]["username"].startswith(accounts)]


def so_far(fleet: Fleet) -> int:
    return fleet.cluster.control_plane.audit_log.read_bytes().rfind(b"\n") + 1


def about_a_lease(event: Mapping[str, Any]) -> bool:
    return bool(event["objectRef"]["resource"] == "leases")


def renewals(fleet: Fleet, since: int) -> int:
    return sum(about_a_lease(event) for event in writes(fleet, since))


def told_in_events(fleet: Fleet) -> str:
    uid = fleet.object("edge")["metadata"]["uid"]
    return fleet.cluster.kubectl("get", "events", f"--field-selector=involvedObject.uid={uid}")


def words(event: Mapping[str, Any]) -> str:
    target = event["objectRef"]
    resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
    return f"{event['user']['username']} {event['verb']} {resource} {target.get('name')}"


def test_not_a_frame_is_lost_whatever_dies(nodes: Nodes, lab: Lab) -> None:
    with Fleet(nodes, lab, "node-a") as fleet:
        a, cluster = fleet.stations["node-a"], fleet.cluster
        fleet.apply(redirect("edge", to="p1"))
        fleet.wait_ready("edge")
        wire = a.far["in"].stream(lambda _: FRAME, rate=FRAMES_PER_SECOND)
        with a.far["p1"].counter() as arrived:
            with wire as stream:
                a.node.agent.kill()
                cluster.stop_api_server()
                a.node.agent.start()
                until(
                    lambda: a.node.agent.log.read_text().count("following") == 2,
                    "the agent runs without a server",
                    evidence=a.node.agent.tail,
                )
                fleet.operator.process.kill()
                fleet.operator.process.start()
                cluster.start_api_server()
                a.node.agent.kill()
                a.node.agent.start()
                # Not before somebody acts on it again is everything back.
                fleet.apply(redirect("edge", to="p1", priority=7))
                fleet.until(
                    lambda: fleet.condition("edge").get("observedGeneration") == 2,
                    "the second generation was acted on",
                    "edge",
                )
                fleet.wait_ready("edge")
            arrived.exactly(stream.sent)
        assert stream.sent > 0
        fleet.apply(redirect("edge", to="p2"))
        fleet.until(
            lambda: fleet.condition("edge").get("observedGeneration") == 3, "the third too", "edge"
        )
        fleet.wait_ready("edge")
        a.deliver([FRAME] * 3, p2=3)


def test_watches_that_the_server_cannot_continue_begin_anew(nodes: Nodes, lab: Lab) -> None:
    """While agent and operator stand still, everything that they have seen is compacted away."""
    with Fleet(nodes, lab, "node-a") as fleet:
        a, plane = fleet.stations["node-a"], fleet.cluster.control_plane
        fleet.apply(redirect("edge", to="p1"))
        fleet.apply(redirect("other", to="p2", priority=900))
        fleet.wait_ready("edge")
        still = (a.node.agent, fleet.operator.process)
        for process in still:
            process.freeze(True)
        seen = fleet.object("edge")["metadata"]["resourceVersion"]
        fleet.wire.erase(PLURAL, "other")
        fleet.apply(redirect("edge", to="p2"))
        plane.compact()
        fleet.cluster.stop_api_server()
        fleet.cluster.start_api_server()
        until(lambda: gone(fleet, seen), "what they have seen cannot be continued")
        for process in still:
            process.freeze(False)

        def found() -> bool:
            # Whoever stood still in the middle of a renewal has lost its lease.
            if fleet.operator.process.pid is None:
                fleet.operator.process.start()
            return fleet.condition("edge").get("observedGeneration") == 2

        fleet.until(found, "the change that nobody saw is found", "edge")
        fleet.wait_ready("edge")
        a.deliver([FRAME] * 3, p2=3)
        # Deleted behind everybody's back: no event tells, only a list.
        fleet.until(lambda: told(fleet, "node-a") == ["edge"], "other is gone", "edge")


def gone(fleet: Fleet, version: str) -> bool:
    """Whether the server refuses to go on from there."""
    path = f"{GROUP}/{PLURAL}?watch=1&timeoutSeconds=1&resourceVersion={version}"
    try:
        answer = fleet.wire.request("GET", path)
    except ValueError:  # A watch that said nothing: the server is not yet what it was.
        return False
    return HTTPStatus.GONE in (answer.status, answer.body.get("object", {}).get("code"))


def told(fleet: Fleet, node: str) -> list[str]:
    """What the node object asks for."""
    path = f"{GROUP}/xdpredirectnodes/{node}"
    spec = fleet.wire.request("GET", path).body["spec"]
    return [entry["name"] for entry in spec["redirects"]]


def test_nobody_writes_where_nothing_changes(nodes: Nodes, lab: Lab) -> None:
    with Fleet(nodes, lab, "node-a", "node-b") as fleet:
        fleet.apply(redirect("edge", to="p1"))
        fleet.wait_ready("edge")
        # What became of the apply is told in the first seconds.
        begun = so_far(fleet)
        until(lambda: renewals(fleet, begun) >= 2, "two renewals of the lease")
        quiet = so_far(fleet)
        until(
            lambda: renewals(fleet, quiet) >= RENEWALS,
            "the lease is renewed",
            seconds=180.0,
            evidence=fleet.operator.process.tail,
        )
        seen = writes(fleet, quiet)
        assert [words(event) for event in seen if not about_a_lease(event)] == []


def test_an_operator_that_comes_back_writes_nothing(nodes: Nodes, lab: Lab) -> None:
    with Fleet(nodes, lab, "node-a", "node-b") as fleet:
        fleet.apply(redirect("edge", to="p1"))
        fleet.wait_ready("edge")
        # The event follows the status: it may be on its way when the operator dies.
        until(lambda: "Redirecting" in told_in_events(fleet), "what became of it is told")
        fleet.operator.process.kill()
        begun = so_far(fleet)
        fleet.operator.process.start()
        until(lambda: renewals(fleet, begun) >= 3, "it leads", seconds=120.0)
        assert [words(e) for e in writes(fleet, begun) if not about_a_lease(e)] == []
