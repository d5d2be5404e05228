"""Connections that stay open and bring nothing any more, of the operator and of an agent at once:
each of them takes a minute and a half to give one up."""

import json
from collections.abc import Callable

from tests.cluster.fleet import Fleet, Station, redirect
from tests.cluster.nodes import Nodes
from tests.cluster.operator_scene import NEVER
from tests.cluster.proxy import Proxy
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP
from tests.kernel.lab import Lab
from tests.kernel.switch import udp

FRAME = udp(7)
# A watch may be silent for 90 seconds before it is given up; nothing shorter finds what it missed.
SILENCE_SECONDS = 300.0


def test_connections_that_fall_silent_are_given_up(nodes: Nodes, lab: Lab) -> None:
    fleet = Fleet(nodes, lab, "node-a", options=("--silence-seconds", NEVER))
    a, operator = fleet.stations["node-a"], fleet.operator
    with Proxy(fleet.cluster) as proxy:
        for kubeconfig in (operator.kubeconfig, a.node.kubeconfig):
            proxy.guard(kubeconfig)
        with fleet:
            fleet.apply(redirect("edge", to="p1"))
            fleet.wait_ready("edge")
            before, pids = program(a), running(fleet)
            assert proxy.mute() >= 3, "the election, the operator, the agent"
            fleet.apply(redirect("edge", to="p2"))
            found(fleet, lambda: told(fleet) == 2, "the operator finds the change")
            found(fleet, lambda: acted(fleet) == 2, "the agent does, and the operator the answer")
            fleet.wait_ready("edge")
            a.deliver([FRAME] * 3, p2=3)
            assert program(a) == before
            assert running(fleet) == pids, "silence costs no lease"


def found(fleet: Fleet, holds: Callable[[], bool], what: str) -> None:
    until(holds, what, SILENCE_SECONDS, lambda: fleet.evidence("edge"))


def running(fleet: Fleet) -> list[int | None]:
    return [fleet.operator.process.pid, fleet.stations["node-a"].node.agent.pid]


def told(fleet: Fleet) -> int:
    """Which generation the node is to run."""
    body = fleet.wire.request("GET", f"{GROUP}/xdpredirectnodes/node-a").body
    (entry,) = body["spec"]["redirects"]
    return int(entry["generation"])


def acted(fleet: Fleet) -> int:
    """Which generation the status is about."""
    return int(fleet.condition("edge").get("observedGeneration", 0))


def program(station: Station) -> int:
    """Id of that on `in`."""
    (link,) = json.loads(station.node.host.ip("-j", "-d", "link", "show", "dev", "in"))
    return int(link["xdp"]["prog"]["id"])
