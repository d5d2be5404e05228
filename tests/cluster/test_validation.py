"""Wrong objects at a real admission: the same verdict as on one machine, and the same words."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import CRDS, ROOT
from tests.cluster.wire import Answer, Wire
from tests.unit.api.changes import changed, example, nodes, table
from xdpredirect.api.validate import Verdict, validate
from xdpredirect.api.wording import shown

REDIRECT, SET = "XdpRedirect", "XdpAddressSet"
PLURALS = {REDIRECT: "xdpredirects", SET: "xdpaddresssets"}
TABLES = ("cases.yaml", "rejected.yaml")
# How the server calls the whole object.
ROOT_FIELD = "<nil>"
# What one machine refuses and the server takes. Two keys that mean the same are not the same text,
# so CEL cannot see them: the operator says it in the status.
BEYOND_CEL = {"table address twice", "table address in two spellings", "table MAC in two spellings"}
# The server makes it what it must be: 53 of 53.0, and no namespace of any.
MENDED = {"port with a zero fraction", "namespace"}
BAD_SETS: dict[str, dict[str, Any]] = {
    "neither": {},
    "both": {"cidrs": ["10.0.0.0/8"], "groups": [{"name": "a", "cidrs": ["10.0.0.0/8"]}]},
    "host bits": {"cidrs": ["10.0.0.1/8"]},
    "mapped": {"cidrs": ["::ffff:10.0.0.0/104"]},
    "same name": {"groups": [{"name": "a", "cidrs": ["::/0"]}, {"name": "a", "cidrs": ["::/1"]}]},
    "bad name": {"groups": [{"name": "Tier", "cidrs": ["::/0"]}]},
    "no prefixes": {"groups": [{"name": "a"}]},
    "too many": {"cidrs": ["::1"] * 50_001},
}


def words(kind: str, document: dict[str, Any], answer: Answer) -> set[str]:
    """The server's objections as this project writes them: `path: sentence`."""
    return {_line(kind, document, field, message) for field, message in answer.causes}


def _line(kind: str, document: dict[str, Any], field: str, message: str) -> str:
    said = [rule for rule in _messages(kind) if message.endswith(f": {rule}")]
    assert said, f"{field}: {message}: not the message of a rule"
    if field == ROOT_FIELD:
        return max(said, key=len)
    value = _at(document, field)
    given = f", not {shown(value)}" if isinstance(value, str) else ""
    return f"{field}: {max(said, key=len)}{given}"


@cache
def _messages(kind: str) -> list[str]:
    crd = yaml.safe_load((CRDS / f"{PLURALS[kind]}.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found = [node.get("x-kubernetes-validations", []) for _, node in nodes(schema)]
    return [rule["message"] for rules in found for rule in rules]


def _at(document: Any, field: str) -> Any:
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", field):
        document = document[int(index)] if index else document.get(name)
    return document


def judged(wire: Wire, cases: dict[str, tuple[str, dict[str, Any]]]) -> tuple[dict, dict]:
    """(ours, the server's) by case: "accepted", "malformed", or the sentences of the rules."""
    ours: dict[str, object] = {}
    servers: dict[str, object] = {}
    for name, (kind, document) in cases.items():
        verdict, answer = validate(kind, document), wire.judge(PLURALS[kind], document)
        ours[name] = _ours(verdict)
        if verdict.malformed and answer.status in (400, 422):
            # How each of the two describes a broken type is its own affair.
            servers[name] = "malformed"
        elif answer.status == 422:
            servers[name] = words(kind, document, answer)
        else:
            servers[name] = "accepted" if answer.status == 201 else answer.message
    return ours, servers


def _ours(verdict: Verdict) -> object:
    if verdict.malformed:
        return "malformed"
    return set(verdict.refused) or "accepted"


def redirects() -> dict[str, tuple[str, dict[str, Any]]]:
    """Every row of the unit tests' tables, as an object."""
    return {
        f"{name}: {case['case']}": (REDIRECT, changed(example(), case))
        for name in TABLES
        for case in table(name)
    }


def test_the_verdict_and_the_words_are_the_same(wire: Wire) -> None:
    ours, servers = judged(wire, redirects())
    assert {name for name in ours if servers[name] != ours[name]} == {
        f"rejected.yaml: {name}" for name in MENDED
    }
    refused_by_rules = [said for said in servers.values() if isinstance(said, set)]
    refused = [said for said in servers.values() if said != "accepted"]
    assert len(refused_by_rules) >= 60
    assert len(refused) >= 160
    accepted = {name for name, said in servers.items() if said == "accepted"}
    wrongly = {name for name in accepted if name.startswith("rejected.yaml: ")}
    assert wrongly == {f"rejected.yaml: {name}" for name in BEYOND_CEL | MENDED}


def test_the_verdict_on_address_sets(wire: Wire) -> None:
    head = {"apiVersion": "xdpredirect.io/v1alpha1", "kind": SET, "metadata": {"name": "bots"}}
    ours, servers = judged(wire, {n: (SET, {**head, "spec": s}) for n, s in BAD_SETS.items()})
    assert servers == ours
    assert "accepted" not in servers.values()


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.yaml")), ids=lambda p: p.stem)
def test_every_example_is_accepted(wire: Wire, path: Path) -> None:
    documents = [*yaml.safe_load_all(path.read_text())]
    ours = [document for document in documents if document["kind"] in PLURALS]
    # The pods of examples/pods are tried by tests/node and docs/cluster.md.
    others = {document["kind"] for document in documents} - {*PLURALS}
    assert ours or ("Pod" in others and others <= {"Namespace", "Pod", "ResourceClaimTemplate"})
    for document in ours:
        answer = wire.judge(PLURALS[document["kind"]], document)
        assert answer.status == 201, answer.message


def test_every_field_is_accepted_and_kept(wire: Wire) -> None:
    path = ROOT / "tests/unit/api/every_field.yaml"
    for document in yaml.safe_load_all(path.read_text()):
        answer = wire.judge(PLURALS[document["kind"]], document)
        assert answer.status == 201, answer.message
        assert answer.body["spec"] == document["spec"]
