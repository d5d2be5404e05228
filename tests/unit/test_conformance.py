"""The conformance suite, its page and the table of reasons name the same rows.

The rows themselves run in tests/kernel/test_losses_*.py.
"""

import errno
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.kernel import (
    conformance,
    test_losses_cpus,
    test_losses_flush,
    test_losses_redirect,
    test_losses_silent,
    test_losses_sockets,
)
from tests.kernel.conformance import FLUSHED, REFUSED, SILENT, SOCKETS, TO_CPUS, Why
from xdpredirect.datapath.abi import Event
from xdpredirect.reasons import REASONS, Own, Reason

DOC = Path(__file__).parents[2] / "docs" / "drop-conformance.md"
WHYS = (REFUSED, SOCKETS, FLUSHED, TO_CPUS)
# Made in test_losses_room.py; and what takes all that no other row does.
APART = {"TooManyCauses", "Unexplained"}


def test_the_rows_that_run_are_those_listed() -> None:
    assert [row.name for row in test_losses_redirect.LOSSES] == list(REFUSED)
    assert [row.name for row in test_losses_sockets.ROWS] == list(SOCKETS)
    assert [name for name, _ in test_losses_flush.ROWS] == list(FLUSHED)
    assert [name for name, _ in test_losses_cpus.ROWS] == list(TO_CPUS)
    assert [name for name, _ in test_losses_silent.QUIET] == list(SILENT)


@pytest.mark.parametrize("rows", WHYS, ids=["refused", "sockets", "flushed", "to CPUs"])
def test_the_page_has_every_row(rows: Mapping[str, Why]) -> None:
    assert conformance.table(rows) in DOC.read_text(), conformance.table(rows)


def test_the_page_has_the_silent_rows() -> None:
    assert conformance.silent_table() in DOC.read_text(), conformance.silent_table()


def test_the_rows_with_reason_are_at_least_25() -> None:
    assert sum(bool(why.ours or why.others) for rows in WHYS for why in rows.values()) >= 25


@pytest.mark.parametrize(
    "row", [row for row in REASONS if row.name not in APART], ids=lambda row: row.name
)
def test_a_reason_is_made_for_real_or_names_its_source(row: Reason) -> None:
    assert bool(row.source) != any(_fits(row, *made) for made in _made()), row


def _made() -> Iterator[tuple[str, Event | Own, int]]:
    """Reason, event and errno of every row."""
    for rows in WHYS:
        for why in rows.values():
            for reason in (*why.ours, *why.others):
                for seen in filter(None, why.seen.split(", ")):
                    event, _, error = seen.partition(" ")
                    yield reason, _event(event, reason), getattr(errno, error) if error else 0
    for reason in filter(None, SILENT.values()):
        yield reason, Own.MISS, 0


def _event(name: str, reason: str) -> Event:
    if reason == "CpuProgramDropped":
        return Event.CPUMAP_PROGRAM
    return Event[name.removeprefix("xdp_").upper()]


def _fits(row: Reason, reason: str, event: Event | Own, error: int) -> bool:
    errnos = not row.errnos or error in row.errnos
    return row.name == reason and event in row.events and errnos
