"""Who leads: at most one at a time, somebody within a bound."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from xdpredirect.controller.lease import DURATION, Move, Seen, decide, look, wanted

WALL = 1_800_000_000.0


def stored(document: dict[str, Any], version: str) -> dict[str, Any]:
    metadata = {**document["metadata"], "resourceVersion": version}
    return {**document, "metadata": metadata}


def test_no_lease_is_created_and_ones_own_is_renewed() -> None:
    assert decide(None, "a", 0.0) is Move.CREATE
    seen = look(stored(wanted("x", "a", None, WALL), "1"), None, 5.0)
    assert decide(seen, "a", 500.0) is Move.RENEW


def test_anothers_is_taken_when_it_was_watched_unchanged_for_its_duration() -> None:
    lease = stored(wanted("x", "a", None, WALL), "1")
    first = look(lease, None, 100.0)
    assert decide(first, "b", 100.0) is Move.WAIT
    still = look(lease, first, 100.0 + DURATION - 0.1)
    assert decide(still, "b", 100.0 + DURATION - 0.1) is Move.WAIT
    assert decide(look(lease, first, 100.0 + DURATION), "b", 100.0 + DURATION) is Move.TAKE


def test_a_renewal_starts_the_watch_anew() -> None:
    first = look(stored(wanted("x", "a", None, WALL), "1"), None, 100.0)
    renewed = look(stored(wanted("x", "a", first, WALL), "2"), first, 110.0)
    assert decide(renewed, "b", 100.0 + DURATION) is Move.WAIT


def test_clocks_of_others_decide_nothing() -> None:
    lease = stored(wanted("x", "a", None, 0.0), "1")
    assert decide(look(lease, None, 100.0), "b", 100.0) is Move.WAIT


def test_a_lease_that_was_given_back_is_taken_at_once() -> None:
    mine = look(stored(wanted("x", "a", None, WALL), "1"), None, 0.0)
    back = look(stored(wanted("x", "", mine, WALL), "2"), None, 1.0)
    assert back is not None
    assert decide(back, "b", 1.0) is Move.TAKE
    taken: Any = wanted("x", "b", back, WALL)
    assert taken["spec"]["leaseTransitions"] == 1
    assert taken["metadata"]["resourceVersion"] == "2"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.1, 8)), min_size=1, max_size=60))
def test_there_is_never_a_second_leader(turns: list[tuple[str, float]]) -> None:
    """Each turn one process looks and acts after a while; it leads while its renewal is recent."""
    lease: dict[str, Any] | None = None
    seen: dict[str, Seen | None] = dict.fromkeys("abc")
    renewed: dict[str, float] = {}
    version, now = 0, 0.0
    for name, pause in turns:
        now += pause
        seen[name] = look(lease, seen[name], now)
        move = decide(seen[name], name, now)
        if move is not Move.WAIT:
            version += 1
            lease = stored(wanted("x", name, seen[name], WALL), str(version))
            renewed[name] = now
            seen[name] = look(lease, None, now)
        leading = [other for other, at in renewed.items() if now - at < 10.0]
        assert len(leading) <= 1
