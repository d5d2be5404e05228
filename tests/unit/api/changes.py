"""Objects to break: the examples as documents, and one change at a JSON pointer."""

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent


def example(name: str = "example.yaml", index: int = 0) -> dict[str, Any]:
    """A document of examples/."""
    return copy.deepcopy(_documents(name)[index])


@cache
def _documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.load_all((ROOT / "examples" / name).read_text(), yaml.CSafeLoader))


def table(name: str) -> list[dict[str, Any]]:
    """The rows of a table of cases beside this file."""
    rows: list[dict[str, Any]] = yaml.load((HERE / name).read_text(), yaml.CSafeLoader)
    return rows


def changed(document: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`document` with the value at `change["at"]` replaced by `set`, or removed."""
    copied: dict[str, Any] = copy.deepcopy(dict(document))
    *steps, last = change["at"].strip("/").split("/")
    place: Any = copied
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    key = int(last) if isinstance(place, list) else last
    if "set" in change:
        place[key] = change["set"]
    else:
        del place[key]
    return copied


@cache
def schema_of(kind: str) -> dict[str, Any]:
    """The spec's schema in the CRD file of `kind`, read without the code under test."""
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        crd = yaml.load(path.read_text(), yaml.CSafeLoader)["spec"]
        if crd["names"]["kind"] == kind:
            schema = crd["versions"][0]["schema"]["openAPIV3Schema"]
            spec: dict[str, Any] = schema["properties"]["spec"]
            return spec
    raise LookupError(kind)


def nodes(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """(path, schema) of every node; `[]` stands for an item, `{}` for a value of a map."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, (*path, name))
    if "items" in schema:
        yield from nodes(schema["items"], (*path, "[]"))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from nodes(schema["additionalProperties"], (*path, "{}"))
