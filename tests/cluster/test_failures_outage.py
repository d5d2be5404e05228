"""The API server is away for a minute: longer than the operator's lease, than every timeout, and
long enough for every backoff to have grown."""

import time
from collections.abc import Iterator

import pytest

from tests.cluster.arena import STEADY, Arena
from tests.cluster.operator_process import Operator
from tests.cluster.process import Process
from tests.kernel.switch import udp

OUTAGE_SECONDS = 60.0


@pytest.fixture
def second(arena: Arena) -> Iterator[Process]:
    """Another replica, beside the one that leads."""
    made = Operator(arena.cluster, arena.fleet.lab, "replica", *arena.fleet.operator.options)
    arena.front.guard(made.kubeconfig)
    made.process.start()
    yield made.process
    made.process.stop()


def test_a_minute_without_an_api_server(arena: Arena, second: Process) -> None:
    with arena.mended(), arena.kubelet(arena.operator, second):
        arena.edge("p1")
        arena.apply("other", STEADY, "p2", nodeSelector=arena.only("node-b"))
        arena.apply("frozen", 11, "p2", nodeSelector=arena.only("node-b"))
        arena.until_ready(1, "p1")
        for name in ("other", "frozen"):
            arena.fleet.wait_ready(name)
        programs = arena.programs()
        arena.cluster.stop_api_server()
        try:
            back = time.monotonic() + OUTAGE_SECONDS
            while time.monotonic() < back:
                arena.b.deliver([udp(9), udp(STEADY), udp(11)], p1=1, p2=2)
                assert arena.programs() == programs, "nobody asked for another one"
                time.sleep(1.0)
        finally:
            arena.cluster.start_api_server()
            renew(arena.cluster.control_plane.controller_manager)
        # While watches and leases are still coming back.
        arena.edge()
        arena.delete("other")
        arena.apply("new", 12, "p1", nodeSelector=arena.only("node-b"))
        arena.until(lambda: not arena.exists("other"), "what was deleted is gone")
        assert "other" not in arena.told(arena.b)
        arena.until_ready(2)
        arena.fleet.wait_ready("new")
        arena.b.deliver([udp(9), udp(STEADY), udp(11), udp(12)], p1=1, p2=2, stack=1)


def renew(controllers: Process) -> None:
    """Their watches would not be back for half a minute, and the module waits in its end for what
    the garbage collector removes: this is no test of it."""
    controllers.kill()
    controllers.start()
