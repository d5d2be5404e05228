"""The schema of XdpRedirectNode: that of XdpRedirect inside it, and bounds on everything."""

from typing import Any

import pytest
import yaml

from scripts.node_schema import CRDS, redirect_schema, spliced
from tests.unit.api.changes import nodes, schema_of

KINDS = {
    "XdpRedirect": "xdpredirects.yaml",
    "XdpRedirectNode": "xdpredirectnodes.yaml",
}
# The operator has decided on it.
SELECTOR = "nodeSelector"
# Applied where the user writes, or for the author of an object.
NOT_COPIED = {"x-kubernetes-validations", "default", "example", "description"}


def status_of(kind: str) -> dict[str, Any]:
    crd = yaml.load((CRDS / KINDS[kind]).read_text(), yaml.CSafeLoader)
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    status: dict[str, Any] = schema["properties"]["status"]
    return status


def redirects() -> dict[str, Any]:
    item: dict[str, Any] = schema_of("XdpRedirectNode")["properties"]["redirects"]["items"]
    return item


def keywords(schema: dict[str, Any]) -> dict[str, Any]:
    """What one node of a schema says, without its children."""
    apart = NOT_COPIED | {"properties", "items", "additionalProperties", "required"}
    return {key: value for key, value in schema.items() if key not in apart}


def test_a_redirect_of_a_node_has_the_fields_of_an_xdpredirect() -> None:
    wanted = {path: s for path, s in nodes(schema_of("XdpRedirect")) if path[:1] != (SELECTOR,)}
    found = dict(nodes(redirects()["properties"]["spec"]))
    assert found.keys() == wanted.keys()
    for path, schema in wanted.items():
        assert keywords(found[path]) == keywords(schema), path
        required = set(schema.get("required", ())) - {SELECTOR}
        assert set(found[path].get("required", ())) == required, path
        assert not path or found[path]["description"] == schema["description"], path


def test_the_file_is_what_the_script_writes() -> None:
    text = (CRDS / KINDS["XdpRedirectNode"]).read_text()
    assert spliced(text, redirect_schema()) == text


def test_a_changed_field_changes_the_file() -> None:
    changed = redirect_schema()
    changed["properties"]["priority"]["maximum"] = 7
    text = (CRDS / KINDS["XdpRedirectNode"]).read_text()
    assert "maximum: 7\n" in spliced(text, changed)


def test_no_rule_and_no_default_came_along() -> None:
    for path, schema in nodes(redirects()):
        assert not {"x-kubernetes-validations", "default", "example"} & schema.keys(), path


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_status_is_described(kind: str) -> None:
    for path, schema in nodes(status_of(kind)):
        assert len(schema["description"]) > 4, path
        assert schema["description"].endswith("."), path


@pytest.mark.parametrize(
    ("kind", "part"), [*((kind, "status") for kind in KINDS), ("XdpRedirectNode", "spec")]
)
def test_everything_is_bounded_and_every_list_has_a_type(kind: str, part: str) -> None:
    schema = status_of(kind) if part == "status" else schema_of(kind)
    for path, field in nodes(schema):
        match field["type"]:
            case "string":
                assert {"maxLength", "enum", "format"} & field.keys(), path
            case "integer":
                assert {"minimum", "maximum"} <= field.keys(), path
            case "array":
                assert {"maxItems", "x-kubernetes-list-type"} <= field.keys(), path
            case "object":
                assert "properties" in field or "maxProperties" in field, path


@pytest.mark.parametrize("kind", ["XdpRedirect", "XdpRedirectNode"])
def test_conditions_are_a_map_and_other_lists_of_a_status_atomic(kind: str) -> None:
    for path, field in nodes(status_of(kind)):
        if field["type"] == "array":
            wanted = "map" if path == ("conditions",) else "atomic"
            assert field["x-kubernetes-list-type"] == wanted, path
