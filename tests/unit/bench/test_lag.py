"""The age of sums that `make bench-cluster` reports is that of what nodes wrote."""

import pytest

from tests.bench.cluster.lag import Note, lags, percentile


def test_a_write_is_held_by_the_first_status_whose_sum_reaches_it() -> None:
    notes = [
        Note(at=1.0, node="a", version=10, packets=5),
        Note(at=2.0, node="b", version=11, packets=7),
        Note(at=3.0, node="a", version=12, packets=6),
    ]
    seen = [(0.5, 0), (2.5, 5), (4.0, 12), (6.0, 13)]
    assert lags(notes, seen, since=0.0) == [1.5, 2.0, 3.0]


def test_writes_count_in_the_order_of_their_versions_not_of_their_answers() -> None:
    notes = [
        Note(at=2.1, node="b", version=10, packets=7),
        Note(at=2.0, node="a", version=11, packets=5),
    ]
    assert lags(notes, [(3.0, 7), (9.0, 12)], since=0.0) == pytest.approx([0.9, 7.0])


def test_what_was_written_before_is_part_of_the_sum_and_not_of_the_result() -> None:
    notes = [
        Note(at=1.0, node="a", version=1, packets=5),
        Note(at=8.0, node="a", version=2, packets=6),
    ]
    assert lags(notes, [(9.0, 6)], since=5.0) == [1.0]


def test_a_write_that_no_status_holds_is_an_error() -> None:
    with pytest.raises(ValueError, match="no status holds what a wrote"):
        lags([Note(at=1.0, node="a", version=1, packets=5)], [(2.0, 4)], since=0.0)


@pytest.mark.parametrize(("share", "value"), [(50, 50.0), (99, 99.0), (100, 100.0)])
def test_percentile_is_the_nearest_rank(share: int, value: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == value


def test_percentile_of_few_values_is_the_largest() -> None:
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0
