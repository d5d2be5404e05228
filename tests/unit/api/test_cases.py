"""Verdicts that a real API server gave on one change each to the example object."""

import json
from typing import Any

import pytest

from tests.unit.api.changes import changed, example, table
from xdpredirect.api.load import load_text
from xdpredirect.errors import InvalidInput

CASES = table("cases.yaml")


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_verdict_of_an_api_server(case: dict[str, Any]) -> None:
    text = json.dumps(changed(example(), case))
    if case["accepted"]:
        assert len(load_text(text, "case").redirects) == 1
    else:
        with pytest.raises(InvalidInput) as refused:
            load_text(text, "case")
        assert all(line.startswith("case: XdpRedirect/") for line in refused.value.problems)


def test_every_verdict_is_in_the_table() -> None:
    assert {case["accepted"] for case in CASES} == {True, False}
    assert len({case["case"] for case in CASES}) == len(CASES) == 51
