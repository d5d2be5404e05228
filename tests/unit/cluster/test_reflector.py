"""What the sink is told whatever goes wrong between us and the API server."""

import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.cluster.fake_server import (
    FakeServer,
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
from xdpredirect.cluster.api import Api, Query
from xdpredirect.cluster.reflector import Pace, Reflector
from xdpredirect.cluster.resource import NODE_OBJECTS, Document

LIMIT = 30
QUERY = Query(resource=NODE_OBJECTS, field_selector="metadata.name=a")
OPEN = watch(end="open")
# Waits are real but short; no test looks at how long anything took.
QUICK = Pace(first_backoff=0.001, longest_backoff=0.01, silence_seconds=20, chance=lambda: 0.0)


class Told:
    """A sink that keeps what it was told."""

    def __init__(self) -> None:
        self.calls: queue.Queue[tuple[str, object]] = queue.Queue()

    def replaced(self, items: Sequence[Document]) -> None:
        self.calls.put(("replaced", tuple(_name(item) for item in items)))

    def changed(self, item: Document) -> None:
        self.calls.put(("changed", _name(item)))

    def deleted(self, name: str) -> None:
        self.calls.put(("deleted", name))

    def take(self, number: int) -> list[tuple[str, object]]:
        return [self.calls.get(timeout=LIMIT) for _ in range(number)]


def _name(item: Document) -> object:
    metadata = item["metadata"]
    assert isinstance(metadata, dict)
    return metadata["name"]


@contextmanager
def following(
    *script: Step, pace: Pace = QUICK, sink: Told | None = None
) -> Iterator[tuple[Told, FakeServer, Reflector]]:
    told = sink or Told()
    with serving(*script) as server:
        reflector = Reflector(Api(server.access, "test"), QUERY, told, pace)
        reflector.start()
        try:
            yield told, server, reflector
        finally:
            reflector.stop()
            server.ended.set()
            reflector.join(LIMIT)
            assert not reflector.is_alive()


def test_list_then_watch_from_its_version() -> None:
    events = event("MODIFIED", thing("a", 12)) + event("ADDED", thing("b", 13))
    with following(
        listing(thing("a"), version=11), watch(events, event("DELETED", thing("a", 14)), end="open")
    ) as (told, server, reflector):
        assert told.take(4) == [
            ("replaced", ("a",)),
            ("changed", "a"),
            ("changed", "b"),
            ("deleted", "a"),
        ]
        assert reflector.synced.is_set()
    first, second = server.requests
    assert first.query["fieldSelector"] == second.query["fieldSelector"] == "metadata.name=a"
    assert "watch" not in first.query
    assert second.query["resourceVersion"] == "11"
    assert second.query["allowWatchBookmarks"] == "true"
    assert second.query["timeoutSeconds"] == "240"


def test_of_an_event_only_the_essence_is_handed_on() -> None:
    taken: list[Document] = []

    class Kept(Told):
        def changed(self, item: Document) -> None:
            taken.append(item)
            super().changed(item)

    told = Kept()
    query = Query(resource=NODE_OBJECTS, essence=lambda item: {"metadata": item["metadata"]})
    events = event("MODIFIED", thing("a", 12, x=1))
    with serving(listing(), watch(events, end="open")) as server:
        reflector = Reflector(Api(server.access, "test"), query, told, QUICK)
        reflector.start()
        assert told.take(2) == [("replaced", ()), ("changed", "a")]
        reflector.stop()
        server.ended.set()
        reflector.join(LIMIT)
    assert [[*item] for item in taken] == [["metadata"]]


def test_an_event_may_come_in_pieces() -> None:
    whole = event("MODIFIED", thing("a", 12))
    with following(listing(), watch(whole[:5], whole[5:20], whole[20:], end="open")) as (told, *_):
        assert told.take(2) == [("replaced", ()), ("changed", "a")]


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


def test_a_watch_that_ends_in_order_goes_on_at_the_last_bookmark() -> None:
    script = (
        listing(thing("a"), version=10),
        watch(event("MODIFIED", thing("a", 15)), bookmark(20)),
        watch(event("MODIFIED", thing("a", 25)), end="open"),
    )
    with following(*script) as (told, server, _):
        assert told.take(3) == [("replaced", ("a",)), ("changed", "a"), ("changed", "a")]
    assert [asked.query.get("resourceVersion") for asked in server.requests] == [None, "10", "20"]


def test_now_and_then_a_list_is_taken_though_nothing_broke() -> None:
    pace = Pace(first_backoff=0.001, relist_after=2, chance=lambda: 0.0)
    script = (listing(), watch(bookmark(11)), watch(bookmark(12)), listing(thing("b")), OPEN)
    with following(*script, pace=pace) as (told, *_):
        assert told.take(2) == [("replaced", ()), ("replaced", ("b",))]


def test_heard_moves_with_every_sign_of_life() -> None:
    ticks = iter(range(1000))
    pace = Pace(first_backoff=0.001, chance=lambda: 0.0, monotonic=lambda: float(next(ticks)))
    with following(
        listing(), watch(bookmark(11), event("ADDED", thing("a")), end="open"), pace=pace
    ) as (told, _, reflector):
        told.take(2)
        # Made, listed, bookmark: 0, 1, 2; the event itself is counted after the sink has it.
        assert reflector.heard >= 2


def test_it_rests_after_an_event_and_can_be_stopped_meanwhile() -> None:
    ticks = iter(range(10_000))
    pace = Pace(rest_seconds=3600.0, chance=lambda: 0.0, monotonic=lambda: float(next(ticks)))
    events = [event("ADDED", thing(name)) for name in ("a", "b")]
    with following(listing(), watch(*events, end="open"), pace=pace) as (told, _, _reflector):
        assert told.take(2) == [("replaced", ()), ("changed", "a")]
        assert told.calls.empty()


def test_what_came_during_a_rest_is_handed_on_without_another() -> None:
    times = iter([*range(3), *([3.0] * 10_000)])
    pace = Pace(rest_seconds=0.01, chance=lambda: 0.0, monotonic=lambda: float(next(times)))
    names = [f"n{number}" for number in range(20)]
    events = [event("ADDED", thing(name)) for name in names]
    with following(listing(), watch(*events, end="open"), pace=pace) as (told, _, _reflector):
        assert told.take(21)[1:] == [("changed", name) for name in names]


def test_a_renewed_token_is_used(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")

    def renew(handler: object) -> None:
        (tmp_path / "new").write_text("new\n")
        (tmp_path / "new").rename(token)
        refusal(401, "Unauthorized")(handler)  # type: ignore[arg-type]

    told = Told()
    with serving(renew, listing(), OPEN) as server:
        access = type(server.access)(server=server.access.server, token_file=token)
        reflector = Reflector(Api(access, "test"), QUERY, told, QUICK)
        reflector.start()
        told.take(1)
        reflector.stop()
        server.ended.set()
        reflector.join(LIMIT)
    used = [asked.headers["authorization"] for asked in server.requests]
    assert used[:2] == ["Bearer old", "Bearer new"]


def test_a_sink_that_fails_is_told_everything_again(caplog: pytest.LogCaptureFixture) -> None:
    class Weak(Told):
        def changed(self, item: Document) -> None:
            raise RuntimeError(_name(item))

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
