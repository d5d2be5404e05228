"""Lines that one client causes again and again: the first are written, the others counted."""

import pytest

from xdpredirect.xsk.log_limit import LINES, MOST_KEYS, WINDOW_SECONDS, HeldBack, Limit


@pytest.fixture
def limit() -> Limit:
    return Limit()


def test_the_first_lines_are_written_and_the_others_counted(limit: Limit) -> None:
    written = [limit.admits("a", f"line {number}", now=10.0 + number) for number in range(50)]
    assert written == [True] * LINES + [False] * (50 - LINES)
    assert limit.deadline() == 10.0 + WINDOW_SECONDS
    assert [*limit.ended(10.0 + WINDOW_SECONDS - 0.1)] == []
    assert [*limit.ended(10.0 + WINDOW_SECONDS)] == [HeldBack("a", 50 - LINES, "line 49")]
    # Which is the end of it: the next line begins a window of its own.
    assert limit.deadline() is None
    assert [*limit.ended(1000.0)] == []
    assert limit.admits("a", "again", now=1000.0)


def test_what_happens_now_and_then_is_never_held_back(limit: Limit) -> None:
    for number in range(100):
        now = number * WINDOW_SECONDS / LINES
        assert [*limit.ended(now)] == []
        assert limit.admits("a", "line", now)
        assert limit.deadline() is None


def test_one_kind_says_nothing_of_another(limit: Limit) -> None:
    for number in range(LINES + 1):
        limit.admits("a", "line", now=number)
    assert limit.admits("b", "line", now=LINES + 1.0)
    assert [*limit.ended(WINDOW_SECONDS)] == [HeldBack("a", 1, "line")]
    # That of b began later.
    assert not any([limit.admits("b", "line", now=WINDOW_SECONDS) for _ in range(LINES + 1)][-2:])
    assert [*limit.ended(2 * WINDOW_SECONDS)] == [HeldBack("b", 2, "line")]


def test_a_flood_of_kinds_is_one_kind(limit: Limit) -> None:
    for number in range(MOST_KEYS):
        assert limit.admits(number, "line", now=0.0)
    more = [limit.admits(number, f"line {number}", 1.0) for number in range(5000, 6000)]
    assert more == [True] * LINES + [False] * (1000 - LINES)
    # Those that were there first go on.
    assert limit.admits(7, "line", now=2.0)
    (others,) = limit.ended(1.0 + WINDOW_SECONDS)
    assert (others.lines, others.line) == (1000 - LINES, "line 5999")
    assert limit.admits(5000, "line", now=100.0)
