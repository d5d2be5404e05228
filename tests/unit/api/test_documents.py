"""Text to values: what kubectl reads, and what is refused before anybody looks at it."""

import pytest

from xdpredirect.api.documents import parse_documents
from xdpredirect.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 10:20:30:40:50:51", {"a": "10:20:30:40:50:51"}),
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("a: [1, -1, +1, 0x1f, 0o17, 017, 0b11, 1_000]", {"a": [1, -1, 1, 31, 15, 15, 3, 1000]}),
        ("a: [1.5, .5, 1e3, -2.5e-1]", {"a": [1.5, 0.5, 1000.0, -0.25]}),
        ("a: [true, False, on, no]", {"a": [True, False, True, False]}),
        ("a: [null, ~, '', None]", {"a": [None, None, "", "None"]}),
        ("a:", {"a": None}),
        ("a: [0-3, 10.0.0.0/8, '1', 1.2.3]", {"a": ["0-3", "10.0.0.0/8", "1", "1.2.3"]}),
        (
            "a: &x {b: 1}\nc: {<<: *x, b: 2}\nd: {<<: *x}",
            {"a": {"b": 1}, "c": {"b": 2}, "d": {"b": 1}},
        ),
        ('{"a": [1, 2.5, null, true, "x"]}', {"a": [1, 2.5, None, True, "x"]}),
        ("{a: 1}", {"a": 1}),
        ("[a, b]", ["a", "b"]),
    ],
)
def test_values(text: str, value: object) -> None:
    assert parse_documents(text) == (value,)
    assert repr(parse_documents(text)) == repr((value,))


def test_documents_that_are_empty_are_left_out() -> None:
    assert parse_documents("---\n# nothing\n---\na: 1\n---\n...\n---\nb: 2") == ({"a": 1}, {"b": 2})
    assert parse_documents("") == parse_documents("# nothing") == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3", 'line 3, column 1: the key "a" is there twice; remove one'),
        ("a: {b: 1, b: 1}", 'line 1, column 11: the key "b" is there twice; remove one'),
        ('{"a": 1, "a": 2}', 'the key "a" is there twice; remove one'),
        ('{"a": NaN}', "NaN is no number of JSON"),
        ("a: .nan", "line 1, column 4: .nan is no number of JSON"),
        ("a: -.inf", "line 1, column 4: -.inf is no number of JSON"),
        (
            "a: !!python/object:os.system x",
            (
                "line 1, column 4: the tag tag:yaml.org,2002:python/object:os.system is not "
                "supported; remove it"
            ),
        ),
        (
            "a: !!binary aGk=",
            "line 1, column 4: the tag tag:yaml.org,2002:binary is not supported; remove it",
        ),
        ("a: b: c", "line 1, column 5: mapping values are not allowed in this context"),
        ("a: &a [*a]", "the alias *a stands inside of what it stands for"),
        ("a: *b", "line 1, column 4: found undefined alias"),
        ("? [a]\n: b", "line 1, column 3: found unhashable key"),
        ("[" * 101, "nested deeper than 100 levels"),
        ("- " * 101, "nested deeper than 100 levels"),
        ('{"a": ' * 200_000, "nested deeper than 100 levels"),
        ("a: [" * 20_000, "nested deeper than 100 levels"),
    ],
)
def test_refused(text: str, line: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_documents(text)
    assert refused.value.problems == (line,)


@pytest.mark.parametrize("text", ["\0", "a: \x07", "\ud800", "a: !!int xyz", "a: 0x_", "a: '"])
def test_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_documents(text)
    (line,) = refused.value.problems
    assert line.isprintable()


def test_aliases_may_share_but_not_multiply() -> None:
    shared = "a: &a [1, 2, 3]\nb: *a\nc: *a"
    assert parse_documents(shared) == ({"a": [1, 2, 3], "b": [1, 2, 3], "c": [1, 2, 3]},)
    bomb = "a0: &a0 [x]\n" + "".join(
        f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9)
    )
    with pytest.raises(InvalidInput, match="aliases stand for more than 100000 values"):
        parse_documents(bomb)
