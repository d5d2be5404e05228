"""Sizes: a node object at the bounds of its schema still goes into etcd."""

import json
from typing import Any

import pytest

from tests.unit.api.test_node_schema import status_of
from xdpredirect.api.node_size import (
    ETCD_LIMIT,
    SPEC_LIMIT,
    STATUS_LIMIT,
    fit_status,
    stored_size,
)

STATUS = status_of("XdpRedirectNode")
# Annotations may take 256 KiB of any object, but nobody has a reason to write them here; the
# operator's owner reference and both managers' fields take 3 KB
# (tests/cluster/test_node_objects.py).
METADATA = 100_000


def largest(schema: dict[str, Any]) -> Any:
    """The value of `schema` that takes the most octets."""
    match schema["type"]:
        case "object":
            return {name: largest(field) for name, field in schema["properties"].items()}
        case "array":
            return [largest(schema["items"])] * schema["maxItems"]
        case "integer":
            return schema["maximum"]
        case "boolean":
            return False
    if "enum" in schema:
        return max(schema["enum"], key=len)
    if schema.get("format") == "date-time":
        return "2026-01-02T03:04:05Z"
    # An escape of six octets where the pattern does not forbid it.
    return ("x" if "pattern" in schema else "<") * schema["maxLength"]


LARGEST = largest(STATUS)


def test_the_parts_leave_room_for_metadata() -> None:
    assert SPEC_LIMIT + STATUS_LIMIT + METADATA <= ETCD_LIMIT


def test_the_largest_status_would_not_fit() -> None:
    assert stored_size(LARGEST) > ETCD_LIMIT


def test_the_largest_status_is_made_to_fit() -> None:
    fitted = fit_status(LARGEST)
    assert stored_size(fitted) <= STATUS_LIMIT
    assert fitted["omitted"] == ["Rules", "Sockets", "Interfaces", "Losses", "Messages"]
    assert [item["state"] for item in redirects(fitted)] == [
        item["state"] for item in redirects(LARGEST)
    ]
    assert all(item["traffic"] == LARGEST["redirects"][0]["traffic"] for item in redirects(fitted))
    schema = STATUS["properties"]["omitted"]
    assert set(fitted["omitted"]) == set(schema["items"]["enum"])
    assert len(fitted["omitted"]) == schema["maxItems"]


def redirects(status: Any) -> list[Any]:
    found: list[Any] = status["redirects"]
    return found


def test_a_status_that_fits_stays() -> None:
    status = {"observedRevision": 1, "redirects": [entry(rules=2)]}
    assert fit_status(status) == status


def test_a_status_without_redirects_stays() -> None:
    assert fit_status({"observedRevision": 1}) == {"observedRevision": 1}


@pytest.mark.parametrize(
    ("counts", "omitted", "left"),
    [
        ({"rules": 3000}, ["Rules"], {"sockets", "interfaces", "losses"}),
        ({"sockets": 3000}, ["Rules", "Sockets"], {"interfaces", "losses"}),
        ({"interfaces": 9000}, ["Rules", "Sockets", "Interfaces"], {"losses"}),
        ({"losses": 9000}, ["Rules", "Sockets", "Interfaces", "Losses"], {"losses"}),
    ],
)
def test_no_more_is_left_out_than_has_to(
    counts: dict[str, int], omitted: list[str], left: set[str]
) -> None:
    status = {"redirects": [entry(**counts), entry()]}
    fitted = fit_status(status)
    assert fitted["omitted"] == omitted
    for before, after in zip(redirects(status), redirects(fitted), strict=True):
        assert after.keys() == before.keys() - {"rules", "sockets", "interfaces", "losses"} | left
        assert after["message"] == before["message"]
    if "Losses" in omitted:
        assert redirects(fitted)[0]["losses"] == redirects(status)[0]["losses"][:1]


def entry(rules: int = 1, sockets: int = 1, interfaces: int = 1, losses: int = 1) -> dict[str, Any]:
    """A redirect in the status of a node; the sizes are beyond the schema where that is quicker."""
    schema = STATUS["properties"]["redirects"]["items"]
    lists = {"rules": rules, "sockets": sockets, "interfaces": interfaces, "losses": losses}
    whole: dict[str, Any] = largest(schema)
    return whole | {name: whole[name][:1] * count for name, count in lists.items()}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({}, 2),
        ({"a": [1, True, None]}, len('{"a":[1,true,null]}')),
        ("é", 4),
        ("€", 5),
        ("😀", 6),
        ("<&>", 20),
        ("\u2028", 8),
        ("\n", 4),
        ('"', 4),
    ],
)
def test_sizes_are_those_of_the_api_server(value: object, size: int) -> None:
    assert stored_size(value) == size


def test_fitting_changes_nothing_of_its_argument() -> None:
    before = json.dumps(LARGEST)
    fit_status(LARGEST)
    assert json.dumps(LARGEST) == before
