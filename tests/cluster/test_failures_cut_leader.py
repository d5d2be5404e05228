"""The leader's cable is pulled while it writes. It lives on, another one leads, and nothing that it
still has to say is heard: not while it is cut off, and not when the cable is back."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.exchange import Exchange
from tests.cluster.faults import writes_to
from tests.cluster.front import ALWAYS, Front
from tests.cluster.installed import OPERATOR
from tests.cluster.network import UPLINK
from tests.cluster.operator_process import Operator
from tests.cluster.operator_scene import Scene
from tests.cluster.test_operator import ZONE

Broken = Callable[[Operator], Iterator[None]]
NODES = tuple(f"cut-{number:02}" for number in range(12))
TCP_SECONDS = 180.0
# Four writers, so that two thirds of the nodes are not told yet when the first are.
SLOW_SECONDS = 4.0


@pytest.fixture
def scene(installed: Cluster) -> Iterator[Scene]:
    made = Scene(installed)
    try:
        yield made
    finally:
        made.close()


def unplugged(operator: Operator) -> Iterator[None]:
    """Nothing comes and nothing goes."""
    operator.host.ip("link", "set", UPLINK, "down")
    yield
    operator.host.ip("link", "set", UPLINK, "up")


def one_way(operator: Operator) -> Iterator[None]:
    """Nothing goes: all frames are for somebody who is not there. What is answered still comes, and
    makes it write what comes next, which its host keeps until it can be sent."""
    there = operator.cluster.network.root_address
    nobody = ["lladdr", "02:00:00:00:ff:fe", "nud", "permanent"]
    operator.host.ip("neigh", "replace", there, "dev", UPLINK, *nobody)
    yield
    operator.host.ip("neigh", "del", there, "dev", UPLINK)


def told(scene: Scene, generation: int) -> int:
    return sum(scene.nodes.told(node) == [("edge", generation)] for node in NODES)


def unsent(operator: Operator) -> int:
    """Octets that its host still tries to send, whoever wrote them."""
    listed = operator.host.run(["ss", "-Htan"]).stdout.split("\n")
    return sum(int(line.split()[2]) for line in listed if line and not line.startswith("LISTEN"))


def slow(exchange: Exchange) -> None:
    time.sleep(SLOW_SECONDS)
    exchange.forward()


def writes(scene: Scene, since: int = 0) -> list[Mapping[str, Any]]:
    """Entries of the audit log by operators."""
    lines = scene.cluster.control_plane.audit_log.read_text().split("\n")[:-1]
    events = [json.loads(line) for line in lines]
    return [e for e in events if e["user"]["username"].endswith(f":{OPERATOR}")][since:]


@pytest.mark.parametrize("broken", [unplugged, one_way])
def test_it_is_not_heard_any_more(scene: Scene, tmp_path: Path, broken: Broken) -> None:
    scene.nodes.add(*NODES, **{ZONE: "1"})
    with Front(scene.cluster, tmp_path) as front:
        front.fail(writes_to("/xdpredirectnodes/"), slow, ALWAYS)
        first = Operator(scene.cluster, scene._lab, "operator-0", *scene._options)
        front.guard(first.kubeconfig)
        scene.replicas.append(first)
        first.process.start()
        scene.until(lambda: scene.leader().startswith("operator-0_"), "the first leads")
        second = scene.start()
        scene.apply("edge", {ZONE: "1"})
        scene.until(lambda: scene.nodes.told(NODES[0]), "it is in the middle of its writes")
        with contextmanager(broken)(first):
            assert told(scene, 1) < len(NODES)
            scene.apply("edge", {ZONE: "1"}, priority=7)
            scene.until(lambda: scene.leader().startswith("operator-1_"), "the second leads")
            scene.until(lambda: told(scene, 2) == len(NODES), "and tells every node")
        scene.until(lambda: unsent(first) == 0, "it has sent what it had to send", TCP_SECONDS)
        scene.until(lambda: first.process.pid is None, "and has ended: it does not lead any more")
        scene.nodes.reply()
        scene.wait("edge")
        assert told(scene, 2) == len(NODES)
        assert second.process.pid is not None
    assert heard_after_the_second(scene, second) == []


def heard_after_the_second(scene: Scene, second: Operator) -> list[str]:
    """What the first one asked for after the second had taken the lease, granted or not."""
    events = writes(scene)
    from_second = [event["sourceIPs"] == [second.address] for event in events]
    leases = [event["objectRef"]["resource"] == "leases" for event in events]
    took = next(n for n in range(len(events)) if from_second[n] and leases[n])
    return [
        f"{event['verb']} {event['requestURI']}: {event['responseStatus']['code']}"
        for event, theirs in zip(events[took:], from_second[took:], strict=True)
        if not theirs
    ]
