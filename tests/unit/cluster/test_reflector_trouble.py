"""What the sink is told whatever goes wrong between us and the API server."""

import queue

import pytest

from tests.unit.cluster.fake_server import (
    Step,
    bookmark,
    cut,
    error_event,
    event,
    listing,
    refusal,
    serving,
    silence,
    thing,
    watch,
)
from tests.unit.cluster.following import LIMIT, OPEN, QUERY, Told, following, name_of
from xdpredirect.cluster.api import Api
from xdpredirect.cluster.reflector import Pace, Reflector
from xdpredirect.cluster.resource import Document


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(watch(end="cut"), id="connection broken in the watch"),
        pytest.param(watch(event("MODIFIED", thing("a"))[:9], end="cut"), id="half an event"),
        pytest.param(watch(error_event(410, "Expired")), id="410 in the stream"),
        pytest.param(watch(error_event(500, "InternalError")), id="500 in the stream"),
        pytest.param(watch(b"not JSON\n"), id="nonsense in the stream"),
        pytest.param(watch(event("NOVEL", thing("a"))), id="unknown event"),
        pytest.param(watch(), id="watch ended without a word"),
        pytest.param(refusal(410, "Expired"), id="410 on the watch"),
        pytest.param(refusal(429, "TooManyRequests", Retry_After="0"), id="429 on the watch"),
        pytest.param(refusal(503, "ServiceUnavailable"), id="503 on the watch"),
        pytest.param(refusal(401, "Unauthorized"), id="401 on the watch"),
        pytest.param(cut, id="connection closed without an answer"),
        pytest.param(lambda handler: handler.say(502, b"<html>"), id="a proxy's words"),
    ],
)
def test_after_trouble_the_list_says_what_is_gone(trouble: Step) -> None:
    script = (listing(thing("a"), thing("b")), trouble, listing(thing("b")), OPEN)
    with following(*script) as (told, *_):
        assert told.take(2) == [("replaced", ("a", "b")), ("replaced", ("b",))]


@pytest.mark.parametrize("status", [410, 429, 500, 503, 403, 401])
def test_a_refused_list_is_tried_again(status: int) -> None:
    with following(refusal(status, "No"), refusal(status, "No"), listing(thing("a")), OPEN) as (
        told,
        server,
        _,
    ):
        assert told.take(1) == [("replaced", ("a",))]
        assert len(server.requests) >= 3


def test_a_server_that_ends_each_watch_after_an_event_is_asked_less_and_less() -> None:
    pace = Pace(first_backoff=0.001, chance=lambda: 0.0)
    ended = watch(event("MODIFIED", thing("a")), error_event(500, "InternalError"))
    script = (*(listing(thing("a")), ended) * 4, listing(thing("a")), OPEN)
    with following(*script, pace=pace) as (told, _, reflector):
        told.take(9)
        assert reflector._backoff._step == pytest.approx(0.001 * 2**3)


def test_trouble_is_over_when_a_watch_goes_well() -> None:
    pace = Pace(first_backoff=0.001, calm_seconds=0.0, chance=lambda: 0.0)
    ended = watch(event("MODIFIED", thing("a")), error_event(500, "InternalError"))
    script = (*(listing(thing("a")), ended) * 4, listing(thing("a")), OPEN)
    with following(*script, pace=pace) as (told, _, reflector):
        told.take(9)
        assert reflector._backoff._step == pytest.approx(0.001)


def test_a_silent_connection_is_given_up() -> None:
    pace = Pace(first_backoff=0.001, silence_seconds=0.2, chance=lambda: 0.0)
    script = (listing(thing("a")), silence, listing(), watch(bookmark(11), end="open"), listing())
    with following(*script, OPEN, pace=pace) as (told, *_):
        # First no answer at all, then a watch that falls silent after its first word.
        assert told.take(3) == [("replaced", ("a",)), ("replaced", ()), ("replaced", ())]


def test_a_server_that_is_away_is_waited_for() -> None:
    with serving(listing()) as gone:
        access = gone.access
    refused: queue.Queue[None] = queue.Queue()

    def chance() -> float:
        refused.put(None)
        return 0.0

    pace = Pace(first_backoff=0.001, chance=chance)
    told = Told()
    reflector = Reflector(Api(access, "test"), QUERY, told, pace)
    reflector.start()
    for _ in range(4):
        refused.get(timeout=LIMIT)
    assert told.calls.empty()
    with serving(listing(thing("a")), OPEN, port=gone.server_port) as server:
        assert told.take(1) == [("replaced", ("a",))]
        reflector.stop()
        server.ended.set()
        reflector.join(LIMIT)
    assert not reflector.is_alive()


def test_a_sink_that_fails_is_told_everything_again(caplog: pytest.LogCaptureFixture) -> None:
    class Weak(Told):
        def changed(self, item: Document) -> None:
            raise RuntimeError(name_of(item))

    script = (listing(), watch(event("ADDED", thing("a")), end="open"), listing(thing("a")), OPEN)
    with following(*script, sink=Weak()) as (told, *_):
        assert told.take(2) == [("replaced", ()), ("replaced", ("a",))]
    assert "cannot take what was sent" in caplog.text


def test_trouble_is_logged_once_per_kind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    pace = Pace(first_backoff=0.001, relist_after=1, chance=lambda: 0.0)
    away = [refusal(503, "Away")] * 4 + [refusal(401, "Unauthorized")] * 2
    script = (*away, listing(), watch(bookmark(11)), listing(thing("a")), OPEN)
    with following(*script, pace=pace) as (told, *_):
        told.take(2)
    words = [record.getMessage() for record in caplog.records]
    assert [text.split("(")[1][:4] for text in words if "trying again" in text] == ["Away", "Unau"]
    assert len([text for text in words if "answers again" in text]) == 1
