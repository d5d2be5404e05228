"""The decoder and the CRD files hold the same fields: every one parsed, none invented."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.unit.api.changes import HERE, changed, nodes, schema_of
from xdpredirect.api import action, clients, match, numbers, patterns, redirect, table_key
from xdpredirect.api.cel_functions import NATIVE
from xdpredirect.api.decode import decode_address_set, decode_redirect
from xdpredirect.api.load import load_text
from xdpredirect.errors import InvalidInput

TEXT = (HERE / "every_field.yaml").read_text()
DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all(TEXT))
DECODE: dict[str, Any] = {"XdpRedirect": decode_redirect, "XdpAddressSet": decode_address_set}


def places(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """(JSON pointer, value) of everything below `value`."""
    yield pointer, value
    children = enumerate(value) if isinstance(value, list) else ()
    for key, child in value.items() if isinstance(value, dict) else children:
        yield from places(child, f"{pointer}/{key}")


def schema_path(pointer: str) -> tuple[str, ...]:
    steps = ["[]" if step.isdecimal() else step for step in pointer.split("/")[2:]]
    if "matchLabels" in steps[:-1]:
        steps[-1] = "{}"
    return tuple(steps)


FIELDS = [
    (document["metadata"]["name"], pointer)
    for document in DOCUMENTS
    for pointer, _ in places(document["spec"], "/spec")
    if pointer != "/spec"
]


def named(name: str) -> dict[str, Any]:
    return next(d for d in DOCUMENTS if d["metadata"]["name"] == name)


def test_the_sample_is_valid() -> None:
    loaded = load_text(TEXT, "every_field.yaml")
    assert (len(loaded.redirects), len(loaded.address_sets)) == (1, 2)


@pytest.mark.parametrize("kind", ["XdpRedirect", "XdpAddressSet"])
def test_the_sample_has_every_field(kind: str) -> None:
    present = {
        schema_path(pointer)
        for document in DOCUMENTS
        if document["kind"] == kind
        for pointer, _ in places(document["spec"], "/spec")
    }
    assert {path for path, _ in nodes(schema_of(kind))} <= present | {()}


@pytest.mark.parametrize(("name", "pointer"), FIELDS)
def test_no_field_is_ignored(name: str, pointer: str) -> None:
    document = named(name)
    decode = DECODE[document["kind"]]
    try:
        without = decode(changed(document, {"at": pointer, "remove": True}))
    except InvalidInput:
        return
    assert without != decode(document)


@pytest.mark.parametrize(("name", "pointer"), FIELDS)
def test_no_field_is_invented(name: str, pointer: str) -> None:
    document = named(name)
    value = dict(places(document)).get(pointer)
    schema = dict(nodes(schema_of(document["kind"])))[schema_path(pointer)]
    if not isinstance(value, dict) or "properties" not in schema:
        return
    wrong = changed(document, {"at": f"{pointer}/zzzz", "set": 1})
    with pytest.raises(InvalidInput) as refused:
        DECODE[document["kind"]](wrong)
    known = re.search(r"zzzz: unknown field; remove it, or write one of (.*)$", str(refused.value))
    assert known is not None
    assert set(known[1].split(", ")) == set(schema["properties"])


ENUMS: dict[tuple[str, ...], set[str]] = {
    ("mode",): set(redirect.Mode),
    ("frags",): set(redirect.Frags),
    ("protect",): set(redirect.Protect),
    ("prepare",): set(redirect.Prepare),
    ("state",): set(redirect.State),
    ("fragments",): set(match.Fragments),
    ("onMiss",): set(action.OnMiss),
    ("cpus", "spreadBy"): set(action.SpreadBy),
    ("keyBy",): set(action.KeyBy),
    ("avoid", "[]"): set(action.Avoid),
    ("clients", "[]", "type"): set(clients.ClientType),
    ("access",): set(action.SocketAccess),
    ("sockets", "protocol"): set(clients.SocketProtocol),
    ("copyMode",): set(action.CopyMode),
    ("vlan", "operation"): set(action.VlanOperation),
    ("tcpFlags", "set", "[]"): set(numbers.TCP_FLAGS),
    ("tcpFlags", "unset", "[]"): set(numbers.TCP_FLAGS),
}


@pytest.mark.parametrize("path", ENUMS, ids="/".join)
def test_words_are_those_of_the_schema(path: tuple[str, ...]) -> None:
    found = [s["enum"] for p, s in nodes(schema_of("XdpRedirect")) if p[-len(path) :] == path]
    assert found
    assert all(set(words) == {str(word) for word in ENUMS[path]} for words in found)


@pytest.mark.parametrize(
    ("path", "names"),
    [("etherTypes", numbers.ETHER_TYPES), ("protocols", numbers.PROTOCOLS)],
)
def test_names_are_those_of_the_pattern(path: str, names: dict[str, int]) -> None:
    found = next(s for p, s in nodes(schema_of("XdpRedirect")) if p[-2:] == (path, "[]"))
    in_pattern = {word for word in found["pattern"][2:-2].split("|") if word.isalnum()}
    assert {word for word in in_pattern if word[0].isalpha()} == set(names)


def test_defaults_are_those_of_the_schema() -> None:
    fields = schema_of("XdpRedirect")["properties"]
    with_defaults = {name: field["default"] for name, field in fields.items() if "default" in field}
    bare = {
        "nodeSelector": {},
        "interfaces": [{"names": ["a"]}],
        "rules": [{"name": "a", "match": {"all": True}, "action": {"type": "Drop"}}],
    }
    envelope = {k: v for k, v in DOCUMENTS[0].items() if k != "spec"}
    assert len(with_defaults) == 6
    assert decode_redirect({**envelope, "spec": bare}) == decode_redirect(
        {**envelope, "spec": {**bare, **with_defaults}}
    )


@pytest.mark.parametrize("kind", ["XdpRedirect", "XdpAddressSet"])
def test_every_pattern_has_words(kind: str) -> None:
    found = {schema["pattern"] for _, schema in nodes(schema_of(kind)) if "pattern" in schema}
    assert found
    assert found <= set(patterns.WORDS)


@pytest.mark.parametrize("kind", ["XdpRedirect", "XdpAddressSet"])
def test_every_field_is_described(kind: str) -> None:
    for path, schema in nodes(schema_of(kind)):
        assert len(schema["description"]) > 4, path
        assert schema["description"].endswith("."), path


def test_key_limits_are_those_of_the_rule() -> None:
    table = next(s for p, s in nodes(schema_of("XdpRedirect")) if p[-1:] == ("deviceTable",))
    rule = next(r["rule"] for r in table["x-kubernetes-validations"] if "'VNI': " in r["rule"])
    limits = {name: int(most) for name, most in re.findall(r"'(\w+)': (\d+)", rule)}
    assert limits == {key.value: most for key, most in table_key.HIGHEST.items()}


def test_native_rules_are_in_the_schema() -> None:
    rules = {
        rule["rule"]
        for _, schema in nodes(schema_of("XdpAddressSet"))
        for rule in schema.get("x-kubernetes-validations", ())
    }
    assert set(NATIVE) <= rules
