"""Fixtures of the agent's tests."""

import json

import jsonschema
import pytest

from tests.unit.agent.stored import redirect
from tests.unit.agent.strict_schema import of_status
from xdpredirect.api.load import load_text


@pytest.fixture(scope="session", autouse=True)
def _warm() -> None:
    """Import the validator here once, so that each forked child finds it there."""
    load_text(json.dumps(redirect()), "warm-up")


@pytest.fixture(scope="session")
def validator() -> jsonschema.Draft202012Validator:
    """Of the status of a node object."""
    return of_status("xdpredirectnodes.yaml")
