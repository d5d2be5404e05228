"""Numbers and lists as tables show them."""

import pytest

from xdpredirect.cli.figures import compact, count, octets, plural, rate


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (99_960, "100 kB"),
        (999_400, "999 kB"),
        (999_600, "1.00 MB"),
        (2**64, "18.4 EB"),
        (10**22, "10000 EB"),
    ],
)
def test_bytes_have_three_digits(number: int, text: str) -> None:
    assert octets(number) == text


@pytest.mark.parametrize(
    ("names", "short"),
    [
        ((), []),
        (("cpu 1",), ["cpu 1"]),
        (("cpu 1", "cpu 2", "cpu 3", "cpu 7"), ["cpu 1-3", "cpu 7"]),
        (("veth1", "veth2", "veth3"), ["veth1", "veth2", "veth3"]),
        (("a", "b", "c", "d"), ["a", "b", "and 2 more"]),
    ],
)
def test_lists_are_short(names: tuple[str, ...], short: list[str]) -> None:
    assert compact(names, most=3) == short


def test_small_words() -> None:
    assert count(1234567) == "1,234,567"
    assert rate(3000, 2.0) == "1,500"
    assert [plural(n, "action") for n in (0, 1, 2)] == ["0 actions", "1 action", "2 actions"]
