"""Feature names: one for everything that an older agent might not know."""

import json
from random import Random
from typing import Any, cast

import pytest
import yaml

from tests.spec.generate import random_object
from tests.unit.api.changes import HERE, nodes, schema_of
from xdpredirect.api.load import load_text
from xdpredirect.api.node import FEATURES, address_sets_of, features_of

EVERY_FIELD: dict[str, Any] = next(yaml.safe_load_all((HERE / "every_field.yaml").read_text()))
SCHEMA = schema_of("XdpRedirect")


def random_spec(seed: int) -> dict[str, Any]:
    return cast("dict[str, Any]", random_object(Random(seed))["spec"])


def found(*path: str) -> dict[str, Any]:
    """The schema at the end of `path` below a rule."""
    rule = SCHEMA["properties"]["rules"]["items"]
    schema: dict[str, Any] = dict(nodes(rule))[path]
    return schema


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("action", found("action", "type")["enum"]),
        ("match", list(found("match")["properties"])),
        ("spec", [name for name in SCHEMA["properties"] if name != "nodeSelector"]),
        ("key", found("action", "deviceTable", "keyBy")["enum"]),
        ("key", found("action", "cpuTable", "keyBy")["enum"]),
        ("client", found("action", "sockets", "clients", "[]", "type")["enum"]),
        ("protocol", found("action", "sockets", "protocol")["enum"]),
        ("spread", found("action", "cpus", "spreadBy")["enum"]),
        ("spread", found("action", "deviceGroup", "spreadBy")["enum"]),
    ],
)
def test_everything_of_the_schema_has_a_name(family: str, words: list[str]) -> None:
    assert words
    assert {f"{family}/{word}" for word in words} <= FEATURES


def test_no_name_stands_for_nothing() -> None:
    enums = {word for _, s in nodes(SCHEMA) for word in s.get("enum", ())}
    fields = {path[-1] for path, _ in nodes(SCHEMA) if path}
    assert {name.split("/")[1] for name in FEATURES} <= enums | fields


def test_names_fit_the_schema_of_a_node() -> None:
    listed = schema_of("XdpRedirectNode")["properties"]["requiredFeatures"]
    # Room for as many again before the schema has to change.
    assert len(FEATURES) <= listed["maxItems"] // 2
    assert max(map(len, FEATURES)) <= listed["items"]["maxLength"]


def test_the_sample_with_every_field_needs_every_field() -> None:
    needed = features_of(EVERY_FIELD["spec"])
    assert needed <= FEATURES
    assert {name for name in FEATURES if name.startswith(("match/", "spec/"))} <= needed
    # An agent that does not know it would hand out sockets in the other way.
    assert "protocol/DevicePlugin" in needed


@pytest.mark.parametrize("chunk", range(2))
def test_this_version_knows_what_valid_objects_need(chunk: int) -> None:
    for seed in range(chunk, 60, 2):
        spec = random_spec(seed)
        rules = spec["rules"]
        needed = features_of(spec)
        assert needed <= FEATURES, seed
        assert {f"action/{rule['action']['type']}" for rule in rules} <= needed
        assert {f"match/{name}" for rule in rules for name in rule["match"]} <= needed


def test_what_this_version_does_not_know_has_a_name_too() -> None:
    rule = {"match": {"later": 1}, "action": {"type": "Clone"}}
    assert features_of({"rules": [rule], "guard": {}, "nodeSelector": {}}) == {
        *("spec/rules", "spec/guard", "match/later", "action/Clone")
    }


def test_the_default_spread_needs_its_feature() -> None:
    rule = {"match": {"all": True}, "action": {"type": "CPUs", "cpus": {"set": "1"}}}
    assert "spread/Flow" in features_of({"rules": [rule]})


def test_address_sets_are_those_that_the_parsed_rules_use() -> None:
    assert address_sets_of(EVERY_FIELD["spec"]) == {"bots", "sites"}
    for seed in range(20):
        document = random_object(Random(seed))
        (parsed,) = load_text(json.dumps(document), "a test").redirects
        wanted = {
            name
            for rule in parsed.spec.rules
            for name in (
                *rule.match.source_address_sets,
                *rule.match.destination_address_sets,
                getattr(rule.action, "address_set", None),
            )
        }
        assert address_sets_of(random_spec(seed)) == wanted - {None}, seed


@pytest.mark.parametrize("rules", [None, 1, [None], [{"match": 1, "action": []}]])
def test_nonsense_needs_no_address_sets(rules: object) -> None:
    assert address_sets_of({"rules": rules}) == frozenset()
