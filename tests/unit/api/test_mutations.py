"""Whatever is written into an object: it is loaded, or refused in one printable line a problem."""

import json
import random
from typing import Any

import pytest
import yaml

from tests.unit.api.changes import HERE
from xdpredirect.api.load import load_text
from xdpredirect.errors import InvalidInput

DOCUMENTS: list[Any] = list(yaml.safe_load_all((HERE / "every_field.yaml").read_text()))
JUNK: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        7,
        1.5,
        1e308,
        10**30,
        "",
        "x",
        "\n",
        "\ud800",
        "\u2028",
        "a" * 500,
    ),
    *("10.0.0.0/8", "0-3", "é", "/", "::", "{}", [], [None], [[]], {}, {"": None}, {"a b": {}}),
    *([1, "1"], {"name": {"name": 1}}, "02:00:00:00:00:01", "Two", "None", "99999999999999999999"),
]


def mutate(value: Any, rng: random.Random) -> Any:
    """One place below `value` replaced, removed, duplicated or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        changed = {**value, name: mutate(value[name], rng)}
        if rng.random() < 0.1:
            del changed[name]
        if rng.random() < 0.1:
            changed[rng.choice(("x", "A", "", "all", "name", "match"))] = rng.choice(JUNK)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.85:
        index = rng.randrange(len(value))
        items = [*value[:index], mutate(value[index], rng), *value[index + 1 :]]
        return items + items[:1] if rng.random() < 0.1 else items
    return rng.choice(JUNK)


def problems(text: str) -> tuple[str, ...]:
    """The lines that `text` is refused with; none where it is loaded."""
    try:
        load_text(text, "mutated")
    except InvalidInput as error:
        return error.problems or ("refused without a word",)
    return ()


@pytest.mark.parametrize("seed", range(8))
def test_mutated_objects(seed: int) -> None:
    rng = random.Random(seed)
    refused = 0
    for _ in range(20):
        document = rng.choice(DOCUMENTS)
        for _ in range(rng.randint(1, 3)):
            document = mutate(document, rng)
        lines = problems(json.dumps(document))
        refused += bool(lines)
        for line in lines:
            assert line.startswith("mutated: ")
            assert line.isprintable(), line
            assert len(line) < 2000
    assert refused > 10


@pytest.mark.parametrize("seed", range(8))
def test_mutated_text(seed: int) -> None:
    rng = random.Random(seed)
    text = (HERE / "every_field.yaml").read_text()
    for _ in range(5):
        at, size = rng.randrange(len(text)), rng.randrange(4)
        noise = "".join(
            rng.choice("{}[]:,&*!|>'\"#%@-?\n\t \0aé") for _ in range(rng.randint(0, 4))
        )
        lines = problems(text[:at] + noise + text[at + size :])
        assert all(line.isprintable() for line in lines)
