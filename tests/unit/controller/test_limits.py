"""What nodes do a thousand times is told a few times, and its end always."""

import time

import pytest

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import condition
from tests.unit.controller.test_loop import PATIENCE_SECONDS, QUICK, Refusing, Running, until
from xdpredirect.cluster.api import Listing
from xdpredirect.cluster.backoff import Backoff
from xdpredirect.cluster.resource import NODE_OBJECTS, Resource
from xdpredirect.controller import limits
from xdpredirect.controller.actions import ApplyStatus, PostEvent
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.limits import (
    EVENT_BURST,
    EVENT_SECONDS,
    OBJECT_BURST,
    OBJECT_SECONDS,
    URGENT_BURST,
    URGENT_SECONDS,
    Limits,
)
from xdpredirect.controller.observe import Inbox, RedirectFeed
from xdpredirect.controller.relist import Relist
from xdpredirect.errors import ApiError


def status(generation: int = 1, uid: str = "u", urgent: bool = True) -> ApplyStatus:
    return ApplyStatus(
        redirect="edge",
        uid=uid,
        resource_version="1",
        status={"observedGeneration": generation},
        urgent=urgent,
    )


def event(reason: str, uid: str = "u") -> PostEvent:
    return PostEvent(redirect="edge", uid=uid, warning=False, reason=reason, message="x")


def test_urgent_statuses_have_a_burst_and_then_a_pace() -> None:
    made, written = Limits(2.0), 0
    now = 1000.0
    for _ in range(1000):
        written += made.tell(status(), now) <= now
        now += 0.08
    assert URGENT_BURST <= written <= URGENT_BURST + 80 / URGENT_SECONDS + 1
    at = made.tell(status(), now)
    assert now < at <= now + URGENT_SECONDS, "it says when"
    assert made.tell(status(), at) <= at, "and then it goes"


def test_another_object_or_generation_does_not_wait() -> None:
    made = Limits(2.0)
    for _ in range(URGENT_BURST):
        assert made.tell(status(), 5.0) <= 5.0
    assert made.tell(status(), 5.0) > 5.0
    assert made.tell(status(generation=2), 5.0) <= 5.0
    assert made.tell(status(uid="v"), 5.0) <= 5.0


def test_generations_in_a_row_have_a_pace_too() -> None:
    made, written, now = Limits(2.0), 0, 1000.0
    for generation in range(1000):
        written += made.tell(status(generation=generation), now) <= now
        now += 0.08
    assert OBJECT_BURST <= written <= OBJECT_BURST + 80 / OBJECT_SECONDS + 1
    at = made.tell(status(generation=1000), now)
    assert now < at <= now + OBJECT_SECONDS, "it says when"
    assert made.tell(status(generation=1001), at) <= at, "and then it goes"
    assert made.tell(status(uid="v"), now) <= now


def test_counters_wait_for_whatever_was_written_last() -> None:
    made = Limits(2.0)
    assert made.tell(status(), 5.0) <= 5.0
    assert made.tell(status(urgent=False), 5.5) == 7.0
    assert made.tell(status(urgent=False), 7.0) <= 7.0


def test_one_reason_is_posted_a_few_times() -> None:
    made = Limits(2.0)
    posted = [made.post(event("Failed"), 5.0 + tick) for tick in range(100)]
    assert sum(posted) == EVENT_BURST
    assert made.post(event("Redirecting"), 105.0)
    assert made.post(event("Failed", uid="v"), 105.0)
    assert made.post(event("Failed"), 105.0 + EVENT_SECONDS)


def test_nothing_is_kept_of_what_is_whole_again() -> None:
    made = Limits(2.0)
    for number in range(500):
        made.tell(status(uid=str(number)), 1000.0 * number)
    assert len(made._urgent._whole_at) < 5


def test_a_reason_that_flips_is_told_at_a_pace_and_its_end_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Refusing()
    cluster.now = time.time()
    cluster.write_node("a", {"zone": "1"})
    cluster.write_redirect("edge", spec(zone="1"))
    monkeypatch.setattr(limits, "URGENT_SECONDS", 1.0)
    flapping = Running(cluster)
    flapping.hear()
    flapping.loop.start()
    until(lambda: "a" in cluster.store[NODE_OBJECTS.plural], "it is told")
    flips = 60
    for turn in range(flips):
        cluster.run_agent("a", {"edge": "Failed" if turn % 2 else "Active"})
        passes = flapping.loop.passes
        flapping.hear()
        until(lambda passes=passes: flapping.loop.passes > passes + 1, "it has looked")  # type: ignore[misc]
    cluster.run_agent("a", {"edge": "Conflicted"})
    flapping.hear()
    until(lambda: condition(cluster, "Ready") == ("False", "Conflicted"), "the end arrives")
    reasons = [item["reason"] for item in cluster.events]
    assert reasons.count("Failed") <= EVENT_BURST
    assert reasons.count("Redirecting") <= EVENT_BURST
    flapping.loop.stop()
    flapping.loop.join(PATIENCE_SECONDS)


class Busy(Refusing):
    """Refuses lists as an API server does that has too much to do; `asked` is when it was."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.busy = seconds, True
        self.asked: list[float] = []

    def list(self, resource: Resource) -> Listing:
        self.asked.append(time.monotonic())
        if self.busy:
            raise ApiError(429, "TooManyRequests", "later", retry_after=self.seconds)
        listing: Listing = super().list(resource)
        return listing


def test_lists_that_fail_are_tried_again_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("xdpredirect.controller.relist.time.monotonic", lambda: now)
    cluster, fleet = Busy(0.0), Fleet(60.0)
    feed = RedirectFeed(Inbox(), cluster)
    made = Relist(feed, 600.0, Backoff(chance=lambda: 0.0, first=1.0, longest=4.0))
    waits = []
    for _ in range(4):
        made.when_due(fleet)
        asked = len(cluster.asked)
        feed.again()
        made.when_due(fleet)
        assert len(cluster.asked) == asked, "not sooner, whoever asks"
        waits.append(made.at - now)
        now = made.at
    assert waits == [0.5, 1.0, 2.0, 2.0]
    cluster.busy = False
    made.when_due(fleet)
    assert made.listed
    assert 600.0 <= made.at - now <= 750.0


def test_a_list_comes_as_late_as_the_server_asked_for_and_holds_up_nothing() -> None:
    cluster = Busy(600.0)
    cluster.busy = False
    cluster.write_node("a", {"zone": "1"})
    cluster.write_redirect("edge", spec(zone="1"))
    made = Running(cluster, QUICK)
    made.hear()
    made.loop.start()
    until(lambda: "a" in cluster.store[NODE_OBJECTS.plural], "it is told")
    cluster.busy = True
    made.feed.again()
    until(lambda: len(cluster.asked) == 2, "it is asked")
    cluster.write_node("b", {"zone": "1"})
    made.hear()
    made.feed.again()
    until(lambda: "b" in cluster.store[NODE_OBJECTS.plural], "what is known goes on")
    assert len(cluster.asked) == 2
    made.loop.stop()
    made.loop.join(PATIENCE_SECONDS)


def test_a_kind_that_is_not_served_names_the_missing_command(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Refusing()

    def unknown(resource: Resource) -> Listing:
        raise ApiError(404, "NotFound", f"no {resource.plural} here")

    monkeypatch.setattr(cluster, "list", unknown)
    made = Relist(RedirectFeed(Inbox(), cluster), 600.0, Backoff(chance=lambda: 0.0))
    made.when_due(Fleet(60.0))
    assert not made.listed
    assert "kubectl apply --server-side -k config" in caplog.text
