"""Conditions by themselves: order, transition times, lengths, and back from JSON."""

import pytest

from xdpredirect.conditions import (
    Condition,
    Truth,
    Verdict,
    conditions,
    from_dict,
    shorten,
    to_dict,
)

NOW, LATER = "2026-01-02T03:04:05Z", "2026-01-02T04:00:00Z"
READY = Verdict(ready=Truth.TRUE, reason="Redirecting", message="on eth1")
BROKEN = Verdict(ready=Truth.FALSE, reason="NoCpu", message="give one", stalled=True)


def table(made: tuple[Condition, ...]) -> list[tuple[str, str, str, str]]:
    return [(c.type, c.status, c.reason, c.last_transition_time) for c in made]


def test_what_is_not_so_has_a_reason_as_well() -> None:
    assert table(conditions(READY, 3, (), NOW)) == [
        ("Ready", "True", "Redirecting", NOW),
        ("Reconciling", "False", "UpToDate", NOW),
        ("Stalled", "False", "NotStalled", NOW),
        ("Degraded", "False", "NothingAtRisk", NOW),
    ]


def test_only_what_changed_gets_a_new_time() -> None:
    before = conditions(READY, 3, (), NOW)
    assert table(conditions(BROKEN, 4, before, LATER)) == [
        ("Ready", "False", "NoCpu", LATER),
        ("Reconciling", "False", "UpToDate", NOW),
        ("Stalled", "True", "NoCpu", LATER),
        ("Degraded", "False", "NothingAtRisk", NOW),
    ]


def test_a_new_generation_moves_no_time() -> None:
    before = conditions(READY, 3, (), NOW)
    after = conditions(READY, 4, before, LATER)
    assert {c.last_transition_time for c in after} == {NOW}
    assert {c.observed_generation for c in after} == {4}


def test_conditions_survive_json() -> None:
    for condition in conditions(BROKEN, 4, (), NOW):
        assert from_dict(to_dict(condition)) == condition


@pytest.mark.parametrize(
    ("message", "limit", "short"),
    [
        ("fits", 4, "fits"),
        ("one two three", 12, "one two …"),
        ("unbreakable-word", 8, "unbrea …"),
    ],
)
def test_messages_are_cut_at_words(message: str, limit: int, short: str) -> None:
    assert shorten(message, limit) == short
    assert len(short) <= limit
