"""Fixtures of the agent's tests."""

import json

import pytest

from tests.unit.agent.stored import redirect
from xdpredirect.api.load import load_text


@pytest.fixture(scope="session", autouse=True)
def _warm() -> None:
    """Import the validator here once, so that each forked child finds it there."""
    load_text(json.dumps(redirect()), "warm-up")
