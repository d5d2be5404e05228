"""The matcher agrees with every row of the tables."""

from collections import Counter
from dataclasses import fields

import pytest

from tests.spec.matcher import Context, matches, parse, protected
from tests.spec.packets import PROTECT_ROWS, ROWS, ProtectRow, Row
from tests.spec.packets.protect import LOCAL_ADDRESSES
from xdpredirect.api.match import Match
from xdpredirect.api.redirect import Protect


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.description)
def test_matches_what_the_table_says(row: Row) -> None:
    ctx = Context(rx_queue=row.rx_queue, interface=row.interface, alt_names=row.alt_names)
    assert matches(row.match, parse(row.frame, row.linear), ctx, row.sets) is row.expected


@pytest.mark.parametrize("protect", Protect)
@pytest.mark.parametrize("row", PROTECT_ROWS, ids=lambda row: row.description)
def test_protects_what_the_table_says(row: ProtectRow, protect: Protect) -> None:
    packet = parse(row.frame, row.linear)
    assert protected(protect, packet, LOCAL_ADDRESSES) is row.expected(protect)


def test_every_match_field_is_taken_and_refused() -> None:
    default = Match()
    for name in (f.name for f in fields(Match)):
        rows = [row for row in ROWS if getattr(row.match, name) != getattr(default, name)]
        verdicts = {row.expected for row in rows}
        # `all` takes every frame: no row can refuse one.
        assert verdicts == ({True} if name == "all" else {True, False}), name


def test_every_row_says_something_of_its_own() -> None:
    said = Counter(row.description for row in ROWS) + Counter(r.description for r in PROTECT_ROWS)
    assert [text for text, count in said.items() if count > 1] == []
    asked = Counter(
        repr((r.match, r.frame, r.linear, r.rx_queue, r.interface, r.alt_names)) for r in ROWS
    )
    assert [text for text, count in asked.items() if count > 1] == []


def test_the_tables_are_not_lopsided() -> None:
    taken = sum(row.expected for row in ROWS)
    assert len(ROWS) / 3 < taken < len(ROWS) * 2 / 3
