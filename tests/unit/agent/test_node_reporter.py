"""The thread that writes: what it sends, when it tries again, what it takes no notice of."""

import queue
import time
from collections.abc import Iterator
from typing import Any

import pytest

from xdpredirect.agent import report_policy
from xdpredirect.agent.reporter import MANAGER, Reporter
from xdpredirect.cluster.backoff import Backoff
from xdpredirect.cluster.resource import NODE_OBJECTS, Document, Resource
from xdpredirect.errors import ApiError

LIMIT = 30


class Server:
    """Stores what is applied, after the errors in `failures`, which come first."""

    def __init__(self) -> None:
        self.sent: queue.Queue[dict[str, Any]] = queue.Queue()
        self.failures: list[ApiError] = []
        self.version = 100

    def apply(
        self,
        resource: Resource,
        document: Document,
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> Document:
        assert (resource, manager, subresource) == (NODE_OBJECTS, MANAGER, "status")
        assert force
        self.sent.put(document)
        if self.failures:
            raise self.failures.pop(0)
        self.version += 1
        return stored(document["status"], self.version)

    def next(self) -> dict[str, Any]:
        return self.sent.get(timeout=LIMIT)

    def quiet(self) -> bool:
        """Whether nothing is sent in ten times the time that a state is collected for here."""
        try:
            self.sent.get(timeout=0.1)
        except queue.Empty:
            return True
        return False


def stored(status: object, version: int = 100, uid: str = "u") -> dict[str, Any]:
    metadata = {"name": "a", "uid": uid, "resourceVersion": str(version), "generation": 1}
    return {"metadata": metadata, "status": status}


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def reporter(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reporter]:
    monkeypatch.setattr(report_policy, "COLLECT_SECONDS", 0.01)
    made = Reporter(server, "a", Backoff(chance=lambda: 0.0, first=0.01, longest=0.02))
    made.start()
    yield made
    made.stop()
    made.join(LIMIT)
    assert not made.is_alive()


def test_the_status_goes_to_the_object_that_it_is_about(server: Server, reporter: Reporter) -> None:
    reporter.offer({"observedRevision": 1}, "u")
    assert server.quiet(), "nobody has seen the object yet"
    reporter.saw(stored({}))
    assert server.next() == {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirectNode",
        "metadata": {"name": "a", "uid": "u", "resourceVersion": "100"},
        "status": {"observedRevision": 1},
    }
    assert reporter.held() == {"observedRevision": 1}


def test_what_is_known_is_not_written_again(server: Server, reporter: Reporter) -> None:
    reporter.saw(stored({"observedRevision": 1}))
    reporter.offer({"observedRevision": 1}, "u")
    assert server.quiet()
    reporter.offer({"observedRevision": 2}, "u")
    server.next()
    # The watch tells of our own write.
    reporter.saw(stored({"observedRevision": 2}, server.version))
    reporter.offer({"observedRevision": 2}, "u")
    assert server.quiet()


def test_news_from_before_our_write_is_no_news(server: Server, reporter: Reporter) -> None:
    reporter.saw(stored({}, 100))
    reporter.offer({"observedRevision": 2}, "u")
    server.next()
    reporter.saw(stored({}, 100))
    assert server.quiet()


def test_what_somebody_else_wrote_is_put_right(server: Server, reporter: Reporter) -> None:
    reporter.saw(stored({}))
    reporter.offer({"observedRevision": 2}, "u")
    server.next()
    reporter.saw(stored({"observedRevision": 9}, server.version + 5))
    assert server.next()["status"] == {"observedRevision": 2}


def test_failures_are_tried_again(server: Server, reporter: Reporter) -> None:
    server.failures = [ApiError(0, "Unreachable", "no"), ApiError(503, "Away", "no")]
    reporter.saw(stored({}))
    reporter.offer({"observedRevision": 1}, "u")
    assert [server.next()["status"] for _ in range(3)] == [{"observedRevision": 1}] * 3
    assert server.quiet()


def test_a_server_that_is_heard_of_again_is_told_at_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_policy, "COLLECT_SECONDS", 0.01)
    server.failures = [ApiError(0, "Unreachable", "no")]
    # An hour is longer than any test; what it begins anew with is not.
    steps = iter([3600.0, 0.01])
    backoff = Backoff(chance=lambda: 0.0)
    monkeypatch.setattr(Backoff, "next", lambda *_: next(steps))
    reporter = Reporter(server, "a", backoff)
    reporter.start()
    try:
        reporter.saw(stored({}))
        reporter.offer({"observedRevision": 1}, "u")
        server.next()
        while not reporter._unanswered:
            time.sleep(0.001)
        assert server.quiet()
        reporter.saw(stored({}))
        assert server.next()["status"] == {"observedRevision": 1}
    finally:
        reporter.stop()
        reporter.join(LIMIT)


def test_the_newest_status_is_what_is_tried_again(server: Server, reporter: Reporter) -> None:
    server.failures = [ApiError(429, "TooManyRequests", "later", 0.3)]
    reporter.saw(stored({}))
    reporter.offer({"observedRevision": 1}, "u")
    server.next()
    reporter.offer({"observedRevision": 2}, "u")
    assert server.next()["status"] == {"observedRevision": 2}


def test_an_object_that_is_gone_is_left_alone(server: Server, reporter: Reporter) -> None:
    reporter.saw(stored({}))
    reporter.saw(None)
    reporter.offer({"observedRevision": 1}, "u")
    assert server.quiet()


def test_a_status_does_not_go_to_a_successor(server: Server, reporter: Reporter) -> None:
    reporter.saw(stored({}))
    reporter.offer({"observedRevision": 7}, "u")
    server.next()
    reporter.saw(stored({}, 200, uid="v"))
    assert server.quiet(), "the agent has not read the new object yet"
    reporter.offer({"observedRevision": 1}, "v")
    assert server.next()["metadata"]["uid"] == "v"


def test_an_object_that_has_changed_is_seen_first(server: Server, reporter: Reporter) -> None:
    server.failures = [ApiError(409, "Conflict", "changed", 60)]
    reporter.saw(stored({}, 100))
    reporter.offer({"observedRevision": 1}, "u")
    assert server.next()["metadata"]["resourceVersion"] == "100"
    assert server.quiet()
    reporter.offer({"observedRevision": 2}, "u")
    reporter.saw(stored({}, 105))
    sent = server.next()
    assert (sent["metadata"]["resourceVersion"], sent["status"]) == ("105", {"observedRevision": 2})
