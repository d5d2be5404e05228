"""Schemas of statuses in which an unknown field is an error. Used by fixtures and test_status.py.

Server-side apply refuses unknown fields; elsewhere an API server prunes them without a word.
"""

from pathlib import Path
from typing import Any

import jsonschema
import yaml

_CRDS = Path(__file__).parents[3] / "crds"


def of_status(crd: str) -> jsonschema.Draft202012Validator:
    """For the status of the one version in this file of crds/."""
    (version,) = yaml.safe_load((_CRDS / crd).read_text())["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    _close(schema)
    return jsonschema.Draft202012Validator(schema)


def _close(node: Any) -> None:
    if isinstance(node, dict):
        if "properties" in node:
            node["additionalProperties"] = False
        for value in node.values():
            _close(value)
