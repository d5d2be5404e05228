"""Between the watches and the loop: bursts settle, what people write does not wait for them."""

from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.observe import Inbox

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
