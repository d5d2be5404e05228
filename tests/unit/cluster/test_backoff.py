from hypothesis import given
from hypothesis import strategies as st

from xdpredirect.cluster.backoff import Backoff


def test_it_doubles_up_to_its_longest_and_begins_again() -> None:
    backoff = Backoff(chance=lambda: 0.5, first=1, longest=5)
    assert [backoff.next() for _ in range(4)] == [0.75, 1.5, 3.0, 3.75]
    backoff.reset()
    assert backoff.next() == 0.75


def test_the_server_may_ask_for_more() -> None:
    backoff = Backoff(chance=lambda: 0.0, first=1, longest=5)
    assert backoff.next(at_least=20) == 20
    assert backoff.next(at_least=0.1) == 1


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=40), st.floats(0, 100))
def test_a_delay_is_never_out_of_its_bounds(chances: list[float], asked: float) -> None:
    left = iter(chances * 2)
    backoff = Backoff(chance=lambda: next(left), first=0.5, longest=30)
    for _ in chances:
        delay = backoff.next(asked)
        assert max(0.25, asked) <= delay <= max(30, asked * 1.25)
