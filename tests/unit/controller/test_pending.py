"""Keys that wait: a failing one comes back later and later, and alone."""

from xdpredirect.controller.due import Due
from xdpredirect.controller.pending import LONGEST, Pending

NOTHING = Due(frozenset(), frozenset())


def due(*nodes: str) -> Due:
    return Due(frozenset(), frozenset(nodes))


def test_a_failing_key_holds_up_no_other() -> None:
    pending = Pending(chance=lambda: 0.5)
    delay = pending.failed("node", "a", 100.0, 0.0)
    assert pending.ready(due("a", "b"), 100.0) == due("b")
    assert pending.next_at() == 100.0 + delay
    assert pending.ready(NOTHING, 100.0 + delay) == due("a")
    assert pending.next_at() is None


def test_delays_grow_to_a_bound_and_start_again_after_a_success() -> None:
    pending = Pending(chance=lambda: 0.999)
    delays = [pending.failed("node", "a", 0.0, 0.0) for _ in range(12)]
    assert delays == sorted(delays)
    assert delays[-1] <= LONGEST < delays[-1] * 1.01
    pending.succeeded("node", "a")
    assert pending.failed("node", "a", 0.0, 0.0) == delays[0]


def test_the_server_may_ask_for_more() -> None:
    assert Pending(chance=lambda: 0.0).failed("redirect", "x", 0.0, 30.0) >= 30.0


def test_what_waits_may_come_early_with_something_urgent() -> None:
    pending = Pending(chance=lambda: 0.5)
    pending.wait("node", "a", 200.0)
    assert pending.ready(NOTHING, 100.0) == NOTHING
    assert pending.ready(due("a"), 100.0) == due("a")


def test_kinds_do_not_mix() -> None:
    pending = Pending(chance=lambda: 0.5)
    pending.failed("redirect", "a", 100.0, 0.0)
    assert pending.ready(due("a"), 100.0) == due("a")


def test_counters_alone_wait_until_the_object_has_rested() -> None:
    pending = Pending(chance=lambda: 0.5)
    counted = Due(frozenset(), frozenset(), frozenset({"edge"}))
    told = Due(frozenset({"edge"}), frozenset())
    assert pending.ready(counted, 100.0) == told
    pending.rest("edge", 102.0)
    assert pending.ready(counted, 101.0) == NOTHING
    assert pending.next_at() == 102.0
    assert pending.ready(told, 101.0) == told, "what is urgent does not wait"
    pending.ready(counted, 101.5)
    assert pending.ready(NOTHING, 102.0) == told


def test_counters_do_not_bring_a_failed_write_forward() -> None:
    pending = Pending(chance=lambda: 0.0)
    pending.rest("edge", 102.0)
    assert pending.failed("redirect", "edge", 100.0, 30.0) == 30.0
    counted = Due(frozenset(), frozenset(), frozenset({"edge"}))
    assert pending.ready(counted, 101.0) == NOTHING
    assert pending.next_at() == 130.0
    assert pending.ready(NOTHING, 102.0) == NOTHING
    assert pending.ready(NOTHING, 130.0) == Due(frozenset({"edge"}), frozenset())
