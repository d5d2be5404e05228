"""What the sink is told while the API server does as it should, and how often it is asked."""

from pathlib import Path

from tests.unit.cluster.fake_server import (
    bookmark,
    event,
    listing,
    refusal,
    serving,
    thing,
    watch,
)
from tests.unit.cluster.following import LIMIT, OPEN, QUERY, QUICK, Told, following
from xdpredirect.cluster.api import Api, Query
from xdpredirect.cluster.reflector import Pace, Reflector
from xdpredirect.cluster.resource import NODE_OBJECTS, Document


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
