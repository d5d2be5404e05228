"""Between the watches and the loop: bursts settle, what people write does not wait for them."""

import time
from typing import Any

import pytest

from xdpredirect.controller import observe
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.observe import Inbox, NodeObjectSink
from xdpredirect.errors import ApiError

FLEET = Fleet(60.0)
FOREVER = 3600.0


def test_what_people_write_ends_the_settling() -> None:
    inbox, taken = Inbox(), list[str]()
    inbox.put(lambda _: taken.append("a report"))
    inbox.put(lambda _: taken.append("an object"), hurry=True)
    assert inbox.take(FLEET, FOREVER, FOREVER)
    assert taken == ["a report", "an object"]


def test_the_next_burst_settles_again() -> None:
    inbox = Inbox()
    inbox.put(lambda _: None, hurry=True)
    assert inbox.take(FLEET, 0.0, FOREVER)
    assert not inbox._hurry.is_set()
    assert not inbox.take(FLEET, 0.0, FOREVER), "nothing came"


def test_changes_without_an_end_do_not_put_planning_off() -> None:
    inbox, taken = Inbox(), list[int]()

    def again(_: Fleet) -> None:
        taken.append(1)
        inbox.put(again)

    inbox.put(again)
    assert inbox.take(FLEET, 0.0, 0.0)
    assert 1 <= len(taken) <= 2


@pytest.mark.parametrize(("asked", "waits"), [(0.0, observe.ASK_AGAIN), (7.0, 7.0)])
def test_what_the_server_refused_is_asked_no_sooner_than_it_says(
    asked: float, waits: float
) -> None:
    class Full:
        def get(self, *_: Any) -> None:
            raise ApiError(429, "TooManyRequests", "please try again later", asked)

        def list(self, *_: Any) -> Any:
            raise AssertionError("nobody lists here")

    inbox, fleet, began = Inbox(), Fleet(60.0), time.monotonic()
    sink = NodeObjectSink(inbox, Full())
    sink.changed({"metadata": {"name": "a", "uid": "u", "generation": 1}})
    sink.replaced([])
    assert inbox.take(fleet, FOREVER, 0.0)
    ((at, _),) = inbox._later
    assert at >= began + waits
    assert "a" in fleet.objects
