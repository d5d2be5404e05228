"""The loop with its threads, against a model cluster: what waits for what, and what does not."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import condition, redirect, told
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import SILENCE
from xdpredirect.cluster.resource import NODE_OBJECTS, NODES, REDIRECTS, Resource
from xdpredirect.controller import observe
from xdpredirect.controller.act import Actor
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.loop import Loop, Pace
from xdpredirect.controller.observe import Inbox, NodeObjectSink, NodeSink, RedirectFeed
from xdpredirect.errors import ApiError

PATIENCE_SECONDS = 20.0
QUICK = Pace(settle=0.0, counters=0.2, longest_wait=0.05, after_failure=0.02)


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


class Refusing(ModelCluster):
    """Refuses writes of what is named in `refused`, lists while `away`, and the next
    `failing_gets` reads of one object."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()
        self.away = False
        self.failing_gets = 0
        self.statuses = 0

    def apply(self, resource: Resource, document: dict[str, Any], **more: Any) -> dict[str, Any]:
        if document["metadata"]["name"] in self.refused:
            raise ApiError(500, "InternalError", "no")
        self.statuses += more.get("subresource") == "status"
        return super().apply(resource, document, **more)

    def get(self, resource: Resource, name: str) -> dict[str, Any] | None:
        if self.failing_gets:
            self.failing_gets -= 1
            raise ApiError(500, "InternalError", "no")
        return super().get(resource, name)

    def list(self, resource: Resource) -> Any:
        if self.away:
            raise ApiError(0, "Unreachable", "nobody answers")
        return super().list(resource)


class Running:
    """A loop whose watches are told by the test."""

    def __init__(self, cluster: Refusing, pace: Pace = QUICK) -> None:
        self.cluster, self.inbox, self.fleet = cluster, Inbox(), Fleet(SILENCE)
        self.feed = RedirectFeed(self.inbox, cluster)
        self.nodes, self.objects = NodeSink(self.inbox), NodeObjectSink(self.inbox, cluster)
        self.synced = True
        self.loop = Loop(self.fleet, self.inbox, Actor(cluster, "here"), self.feed, pace)
        self.loop.when(lambda: self.synced)

    def hear(self) -> None:
        """What the reflectors list."""
        for resource, sink in ((NODES, self.nodes), (NODE_OBJECTS, self.objects)):
            sink.replaced([*self.cluster.store[resource.plural].values()])

    def hear_redirect(self, name: str) -> None:
        self.feed.heard("MODIFIED", self.cluster.store[REDIRECTS.plural][name])


@pytest.fixture
def running() -> Iterator[Running]:
    cluster = Refusing()
    cluster.now = time.time()
    for name in ("a", "b"):
        cluster.write_node(name, {"zone": "1"})
    cluster.write_redirect("edge", spec(zone="1"))
    made = Running(cluster)
    made.hear()
    yield made
    if made.loop.is_alive():
        made.loop.stop()
        made.loop.join(PATIENCE_SECONDS)
        assert not made.loop.is_alive()


def test_it_lists_what_nobody_told_it_of(running: Running) -> None:
    running.loop.start()
    until(lambda: running.cluster.store[NODE_OBJECTS.plural].keys() == {"a", "b"}, "both are told")
    until(lambda: condition(running.cluster, "Ready") == ("Unknown", "Progressing"), "it is said")


def test_nothing_is_written_before_everything_is_known(running: Running) -> None:
    running.synced = False
    before = running.cluster.writes
    running.loop.start()
    alive = running.loop.alive_at
    until(lambda: running.loop.alive_at > alive + 0.1, "it turns")
    assert (running.cluster.writes, running.loop.passes) == (before, 0)
    running.synced = True
    until(lambda: "a" in running.cluster.store[NODE_OBJECTS.plural], "then it acts")


def test_one_that_is_refused_holds_up_no_other_and_is_tried_again(running: Running) -> None:
    running.cluster.refused = {"a"}
    running.loop.start()
    until(lambda: "b" in running.cluster.store[NODE_OBJECTS.plural], "the other is told")
    until(lambda: "conditions" in redirect(running.cluster)["status"], "and the status is written")
    running.cluster.refused = set()
    until(lambda: "a" in running.cluster.store[NODE_OBJECTS.plural], "it is told, too")


def test_an_api_server_that_is_away_is_asked_again(running: Running) -> None:
    running.cluster.away = True
    running.loop.start()
    alive = running.loop.alive_at
    until(lambda: running.loop.alive_at > alive + 0.1, "it turns")
    assert running.cluster.store[NODE_OBJECTS.plural] == {}
    running.cluster.away = False
    until(lambda: "a" in running.cluster.store[NODE_OBJECTS.plural], "it goes on")


def test_counters_alone_are_not_written_each_time(running: Running) -> None:
    slow = Running(running.cluster, Pace(settle=0.0, counters=600.0, longest_wait=0.05))
    slow.hear()
    slow.loop.start()
    until(lambda: "b" in running.cluster.store[NODE_OBJECTS.plural], "both are told")
    for name in ("a", "b"):
        running.cluster.run_agent(name)
    slow.hear()
    until(lambda: condition(running.cluster, "Ready")[0] == "True", "urgent is at once")
    before = running.cluster.statuses
    stored = running.cluster.store[NODE_OBJECTS.plural]["a"]
    for count in (11, 12, 13):
        stored["status"]["redirects"][0]["traffic"]["redirectedPackets"] = count
        stored["metadata"]["resourceVersion"] = str(1000 + count)
        passes = slow.loop.passes
        slow.hear()
        until(lambda passes=passes: slow.loop.passes > passes + 1, "it has looked")  # type: ignore[misc]
    assert running.cluster.statuses == before
    running.cluster.run_agent("b", {"edge": "Failed"})
    slow.hear()
    until(lambda: condition(running.cluster, "Ready")[0] == "False", "a failure is at once")
    traffic = redirect(running.cluster)["status"]["traffic"]
    assert traffic["redirectedPackets"] == 13 + 10, "and brings the counters along"
    slow.loop.stop()
    slow.loop.join(PATIENCE_SECONDS)


def test_counters_are_written_when_their_time_has_come(running: Running) -> None:
    running.loop.start()
    until(lambda: "b" in running.cluster.store[NODE_OBJECTS.plural], "both are told")
    for name in ("a", "b"):
        running.cluster.run_agent(name)
    running.hear()
    until(lambda: condition(running.cluster, "Ready")[0] == "True", "ready")
    stored = running.cluster.store[NODE_OBJECTS.plural]["a"]
    stored["status"]["redirects"][0]["traffic"]["redirectedPackets"] = 77
    stored["metadata"]["resourceVersion"] = "1000"
    running.hear()
    traffic = redirect(running.cluster)["status"]["traffic"]
    until(lambda: redirect(running.cluster)["status"]["traffic"] != traffic, "it is written later")


def test_a_list_that_is_older_than_our_own_object_does_not_remove_it(running: Running) -> None:
    running.loop.start()
    until(lambda: "b" in running.cluster.store[NODE_OBJECTS.plural], "both are told")
    passes = running.loop.passes
    running.objects.replaced([])
    until(lambda: running.loop.passes > passes + 2, "it has looked")
    assert told(running.cluster, "a") == ["edge"]
    assert running.cluster.store[NODE_OBJECTS.plural]["a"]["spec"]["revision"] == 1


def test_a_node_object_that_vanished_is_found_missing_though_asking_failed(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "ASK_AGAIN", 0.01)
    running.loop.start()
    objects = running.cluster.store[NODE_OBJECTS.plural]
    until(lambda: objects.keys() == {"a", "b"}, "both are told")
    gone = {objects.pop(name)["metadata"]["uid"] for name in ("a", "b")}
    running.cluster.failing_gets = 3
    running.objects.replaced([])
    until(lambda: objects.keys() == {"a", "b"}, "both are told again")
    assert not gone & {item["metadata"]["uid"] for item in objects.values()}
    assert running.cluster.failing_gets == 0


def test_the_end_of_an_object_is_heard(running: Running) -> None:
    running.loop.start()
    until(lambda: "b" in running.cluster.store[NODE_OBJECTS.plural], "both are told")
    gone = running.cluster.store[REDIRECTS.plural].pop("edge")
    other = {**gone, "metadata": {**gone["metadata"], "uid": "of another time"}}
    running.feed.heard("DELETED", other)
    passes = running.loop.passes
    until(lambda: running.loop.passes > passes + 2, "it has looked")
    assert told(running.cluster, "a") == ["edge"]
    running.feed.heard("DELETED", gone)
    until(lambda: told(running.cluster, "a") == [], "the nodes are emptied")


def test_after_a_break_of_the_watch_it_lists(running: Running) -> None:
    running.loop.start()
    until(lambda: "b" in running.cluster.store[NODE_OBJECTS.plural], "both are told")
    running.cluster.write_redirect("late", spec(zone="1"))
    running.feed.again()
    until(lambda: "late" in told(running.cluster, "a"), "what was missed is found")
    assert running.loop.missed == 0, "and nobody is to blame"


def test_a_large_fleet_does_not_hold_up_what_people_are_told(running: Running) -> None:
    for number in range(30):
        running.cluster.write_node(f"n{number:02}", {"zone": "1"})
    small = Running(running.cluster, Pace(settle=0.0, longest_wait=0.05, batch=1))
    small.hear()
    objects = running.cluster.store[NODE_OBJECTS.plural]
    small.loop.start()
    until(lambda: condition(running.cluster, "Ready")[1] == "Progressing", "it is said")
    assert len(objects) < 32, "before the last node is told"
    until(lambda: len(objects) == 32, "every node is told")
    small.loop.stop()
    small.loop.join(PATIENCE_SECONDS)
