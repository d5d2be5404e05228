"""Fixtures of the agent's tests."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.unit.agent.stored import redirect
from xdpredirect.api.load import load_text

NODES = Path(__file__).parents[3] / "crds" / "xdpredirectnodes.yaml"


@pytest.fixture(scope="session", autouse=True)
def _warm() -> None:
    """Import the validator here once, so that each forked child finds it there."""
    load_text(json.dumps(redirect()), "warm-up")


@pytest.fixture(scope="session")
def validator() -> jsonschema.Draft202012Validator:
    """Of the status of a node object."""
    (version,) = yaml.safe_load(NODES.read_text())["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["status"]

    def close(node: Any) -> None:
        """Server-side apply refuses unknown fields."""
        if isinstance(node, dict):
            if "properties" in node:
                node["additionalProperties"] = False
            for value in node.values():
                close(value)

    close(schema)
    return jsonschema.Draft202012Validator(schema)
