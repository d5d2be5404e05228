"""Who does not lead any more writes nothing any more, wherever it is in its work."""

import threading
import time
from typing import Any

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import condition, redirect
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import Operator
from tests.unit.controller.test_loop import PATIENCE_SECONDS, QUICK, Refusing, Running, until
from xdpredirect.cluster.resource import LEASES, NODE_OBJECTS, Resource
from xdpredirect.controller import election
from xdpredirect.controller.actions import ApplyStatus
from xdpredirect.controller.election import Election
from xdpredirect.errors import ApiError

NODES_IN_ALL = 40


class Ending(Refusing):
    """Calls `end` with the fifth write, and counts those that come after it."""

    def __init__(self) -> None:
        super().__init__()
        self.applies = self.late = 0
        self.ended = threading.Event()
        self.end: Any = None

    def apply(self, resource: Resource, document: dict[str, Any], **more: Any) -> dict[str, Any]:
        self.late += self.ended.is_set()
        self.applies += 1
        if self.applies == 5:
            self.end()
            self.ended.set()
        return super().apply(resource, document, **more)


def large() -> tuple[Ending, Running]:
    cluster = Ending()
    cluster.now = time.time()
    for number in range(NODES_IN_ALL):
        cluster.write_node(f"n{number:02}", {"zone": "1"})
    cluster.write_redirect("edge", spec(zone="1"))
    made = Running(cluster)
    made.hear()
    return cluster, made


def test_a_lease_that_is_lost_ends_the_pass_and_none_is_forgotten() -> None:
    cluster, running = large()

    def lose() -> None:
        running.synced = False

    cluster.end = lose
    running.loop.start()
    assert cluster.ended.wait(PATIENCE_SECONDS)
    alive = running.loop.alive_at
    until(lambda: running.loop.alive_at > alive + 0.1, "it turns")
    # Each writer may have been at one write just then.
    assert cluster.late <= QUICK.writers
    running.synced = True
    until(lambda: len(cluster.store[NODE_OBJECTS.plural]) == NODES_IN_ALL, "the rest is told")
    running.loop.stop()
    running.loop.join(PATIENCE_SECONDS)


def test_one_that_is_asked_to_stop_begins_no_other_write() -> None:
    cluster, running = large()
    cluster.end = running.loop.stop
    running.loop.start()
    running.loop.join(PATIENCE_SECONDS)
    assert not running.loop.is_alive()
    assert cluster.late <= QUICK.writers


class Hanging:
    """A lease whose renewal is never answered."""

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.asked = threading.Event()

    def get(self, resource: Resource, name: str) -> None:  # noqa: ARG002
        return None

    def create(self, resource: Resource, document: dict[str, Any]) -> dict[str, Any]:
        assert resource.namespace == "system"
        return {**document, "metadata": {**document["metadata"], "resourceVersion": "1"}}

    def replace(self, resource: Resource, document: dict[str, Any]) -> dict[str, Any]:
        raise ApiError(0, "Unreachable", f"{resource}: {document}")


def test_a_lease_runs_out_while_the_renewing_thread_hangs(monkeypatch: Any) -> None:
    leases = Hanging()
    only = Election(leases, LEASES.within("system"), "lease", "only")
    monkeypatch.setattr(election, "RENEW", 0.01)
    monkeypatch.setattr(election, "GIVE_UP", 1.0)
    only.start()
    assert only.won.wait(PATIENCE_SECONDS)

    def hang(resource: Resource, name: str) -> None:
        leases.asked.set()
        leases.answer.wait()

    monkeypatch.setattr(leases, "get", hang)
    assert leases.asked.wait(PATIENCE_SECONDS)
    until(lambda: not only.leads(), "nobody may act on it any more")
    assert not only.lost.is_set(), "though the thread could not say so"
    leases.answer.set()
    only.stop()


def test_a_status_of_who_saw_less_is_refused(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    stale = Operator(cluster)
    stale.look()
    for name in ("a", "b"):
        cluster.run_agent(name, {"edge": "Failed"})
    stale.look()
    planned = stale.plan()
    assert ApplyStatus in [type(action) for action in planned]
    for name in ("a", "b"):
        cluster.run_agent(name)
    operator.settle()
    said = redirect(cluster)["status"]
    assert condition(cluster, "Ready") == ("True", "Redirecting")
    assert "409" in stale.act(planned)[0]
    assert redirect(cluster)["status"] == said
