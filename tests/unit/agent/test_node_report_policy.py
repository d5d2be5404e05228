"""When a status is written: a state soon, counters in their turn, nothing where nothing is new."""

import math
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from xdpredirect.agent import report_policy as policy
from xdpredirect.agent.report_policy import Ledger
from xdpredirect.settings import Settings


def status(
    state: str = "Active", packets: int = 0, losses: tuple[str, ...] = (), rate: str = ""
) -> dict[str, Any]:
    return {
        "observedRevision": 1,
        "conditions": [
            {"type": "Ready", "status": "True", "reason": state, "message": "m"},
            {"type": "Degraded", "status": "True", "reason": "R", "message": rate},
        ],
        "redirects": [
            {
                "name": "edge",
                "state": state,
                "rules": [{"name": "r", "packets": packets}],
                "traffic": {"redirectedPackets": packets},
                "losses": [{"reason": reason, "packets": packets} for reason in losses],
                "degraded": {"reason": "R", "message": rate},
            }
        ],
    }


def due(ledger: Ledger, wanted: dict[str, Any], now: float) -> tuple[float | None, Ledger]:
    ledger = policy.noticed(ledger, wanted, now)
    return policy.due(ledger, wanted), ledger


def test_what_the_server_holds_is_not_written() -> None:
    assert due(Ledger(held=status()), status(), 1e9)[0] is None


def test_the_first_status_goes_out_after_a_moment() -> None:
    assert due(Ledger(), status(), 100)[0] == 100 + policy.COLLECT_SECONDS


def test_a_state_goes_out_a_moment_after_it_changed_whatever_comes_next() -> None:
    _, ledger = due(Ledger(held=status("Pending"), counted_at=90), status("Active"), 100)
    at, _ = due(ledger, status("Failed"), 100.2)
    assert at == 100 + policy.COLLECT_SECONDS


def test_a_state_that_went_back_in_time_is_not_written() -> None:
    _, ledger = due(Ledger(held=status("Active")), status("Pending"), 100)
    assert due(ledger, status("Active"), 100.1)[0] is None


def test_counters_wait_for_their_turn() -> None:
    ledger = Ledger(held=status(packets=1), counted_at=100, jitter=0.5)
    assert due(ledger, status(packets=2), 105)[0] == 100 + policy.COUNTERS_SECONDS * 1.1


def test_counters_may_come_more_often() -> None:
    ledger = Ledger(held=status(packets=1), counted_at=100, jitter=0.5)
    ledger = policy.noticed(ledger, status(packets=2), 105)
    assert policy.due(ledger, status(packets=2), 2.0) == 100 + 2.0 * 1.1
    assert Settings().report_seconds == policy.COUNTERS_SECONDS


def test_a_rate_in_words_is_a_counter() -> None:
    ledger = Ledger(held=status(rate="3 frames a second"), counted_at=100)
    assert due(ledger, status(rate="4 frames a second"), 105)[0] == 130


def test_a_new_cause_of_loss_is_a_state() -> None:
    at, _ = due(Ledger(held=status()), status(packets=1, losses=("TargetDown",)), 100)
    assert at == 100 + policy.COLLECT_SECONDS


def test_a_socket_that_is_taken_is_a_state_and_its_holder_and_counts_are_not() -> None:
    def with_socket(**fields: object) -> dict[str, Any]:
        wanted = status()
        socket = {"rule": "r", "interface": "in", "queue": 0, "state": "Held", "pid": 1, **fields}
        wanted["redirects"][0]["sockets"] = [socket]
        return wanted

    at, _ = due(Ledger(held=status()), with_socket(), 100)
    assert at == 100 + policy.COLLECT_SECONDS
    at, _ = due(Ledger(held=with_socket()), with_socket(state="Releasing"), 100)
    assert at == 100 + policy.COLLECT_SECONDS
    held = Ledger(held=with_socket(), counted_at=100)
    assert due(held, with_socket(pid=2, ringFullPackets=3), 105)[0] == 130


def test_a_failed_write_waits_as_long_as_it_was_told() -> None:
    _, ledger = due(Ledger(), status(), 100)
    assert due(policy.failed(ledger, 101, 20), status(), 102)[0] == 121


def test_another_writer_is_corrected() -> None:
    ledger = policy.written(Ledger(), status(), 100, 0)
    ledger = policy.found(ledger, status("Nonsense"))
    assert due(ledger, status(), 200)[0] == 200 + policy.COLLECT_SECONDS


def test_a_state_that_comes_and_goes_is_written_ten_times_and_then_now_and_then() -> None:
    ledger, now, writes = Ledger(), 1000.0, []
    for turn in range(60):
        wanted = status("Active" if turn % 2 else "Failed")
        at, ledger = due(ledger, wanted, now)
        if at is not None and at <= now + 1:
            writes.append(at)
            ledger = policy.written(ledger, wanted, at, 0)
        now += 1.5
    assert policy.BURST <= len(writes) <= policy.BURST + 90 / policy.REFILL_SECONDS + 1


CHANGES = st.lists(
    st.tuples(
        st.floats(0.05, 20),
        st.sampled_from(["Active", "Failed", "Pending"]),
        st.integers(0, 3),
        st.booleans(),
    ),
    min_size=1,
    max_size=60,
)


@given(CHANGES, st.floats(0, 1, exclude_max=True))
def test_whatever_happens_the_server_learns_the_last_state_and_is_not_flooded(
    changes: list[tuple[float, str, int, bool]], jitter: float
) -> None:
    ledger, now = Ledger(counted_at=0.0, jitter=jitter), 0.0
    wanted = status()
    writes: list[tuple[float, bool]] = []
    ends = [*changes, (10_000.0, wanted["redirects"][0]["state"], 0, False)]
    for pause, state, more, fails in ends:
        until = now + pause
        while True:
            at, ledger = due(ledger, wanted, now)
            if at is None or at > until:
                break
            now = max(now, at)
            if fails:
                ledger, fails = policy.failed(ledger, now, 5.0), False  # noqa: PLW2901
                continue
            assert ledger.held != wanted
            writes.append((now, ledger.changed_at is not None))
            ledger = policy.written(ledger, wanted, now, jitter)
        now = until
        if pause < 10_000:
            wanted = status(state, wanted["redirects"][0]["rules"][0]["packets"] + more)
    assert ledger.held == wanted
    counted = [(a, b) for (a, _), (b, state) in pairwise(writes) if not state]
    assert all(after - before >= policy.COUNTERS_SECONDS - 1e-6 for before, after in counted)
    states = [at for at, state in writes if state]
    for first in range(len(states)):
        span = states[first:]
        for count, at in enumerate(span, 1):
            allowed = policy.BURST + (at - span[0]) / policy.REFILL_SECONDS
            assert count <= math.floor(allowed + 1e-6) + 1
