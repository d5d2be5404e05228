"""docs/cluster.md tells of every reason, column, field and number that a cluster shows."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kernel.documents import ROOT
from tests.unit.controller.test_rollup import NOW, redirect, report
from xdpredirect.agent import report_policy
from xdpredirect.api.node_size import STATUS_LIMIT
from xdpredirect.cluster import reflector
from xdpredirect.controller.lease import DURATION, GIVE_UP, RENEW, RETRY
from xdpredirect.controller.loop import Pace
from xdpredirect.controller.observed import FINALIZER
from xdpredirect.controller.rollup import SIZE_LIMIT, TOP, roll_up
from xdpredirect.controller.standing import Part, Standing
from xdpredirect.controller.tally import Tally
from xdpredirect.settings import Settings

TEXT = (ROOT / "docs" / "cluster.md").read_text()
STATES = ("Active", "Paused", "Detached")
COLUMNS = "additionalPrinterColumns"
THEIRS = "InTheWordsOfAnAgent"
UNREADABLE = {"nodeSelector": {"matchLabels": 7}}
# Where the reasons of a node are made; everything else comes from findings, see troubleshooting.md.
NODE_SOURCES = ("agent/node_status.py", "agent/node_entry.py", "agent/orders.py")
REASON = re.compile(r'"([A-Z][a-z]+(?:[A-Z][a-z]+)*)"')


def rows(title: str) -> set[str]:
    """First cells of the table below a comment: the words in backticks."""
    table = TEXT.split(f"<!-- {title} -->\n", 1)[1].split("\n\n", 1)[0]
    return {word for row in table.splitlines()[2:] for word in _words(row.split("|")[1])}


def _words(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def parts() -> Iterator[dict[str, Part]]:
    """Every set of standings that nodes of one fleet can have, with and without frames at risk."""
    kinds = [
        Part(standing, THEIRS, "words", report=report(risk=risk, risk_message="words"))
        for standing in Standing
        for risk in ("", THEIRS)
    ]
    for number in range(4):
        for chosen in itertools.combinations(kinds, number):
            yield {f"node-{i}": part for i, part in enumerate(chosen)}


def emitted() -> Iterator[str]:
    for fleet in parts():
        tally = Tally()
        for node, part in fleet.items():
            tally.put(node, part)
        for state in STATES:
            wanted = redirect(spec={"nodeSelector": {}, "state": state})
            yield from reasons(roll_up(wanted, tally, (), NOW))
    for going in (redirect(metadata=deleting()), redirect(spec=UNREADABLE)):
        yield from reasons(roll_up(going, Tally(), ("node-1",), NOW))


def deleting() -> dict[str, Any]:
    return {"name": "edge", "uid": "u", "generation": 3, "deletionTimestamp": NOW}


def reasons(status: dict[str, Any]) -> Iterator[str]:
    yield from (item["reason"] for item in status["conditions"])
    yield from (item["reason"] for item in status["failingNodes"])


def test_every_reason_of_the_operator_is_in_its_table_and_no_other() -> None:
    assert rows("reasons of the operator") == set(emitted()) - {THEIRS}


def test_every_reason_of_a_node_is_in_a_table() -> None:
    code = "\n".join(_code(ROOT / "operator/xdpredirect" / name) for name in NODE_SOURCES)
    crd = yaml.safe_load((ROOT / "crds/xdpredirectnodes.yaml").read_text())
    found = set(REASON.findall(code)) - set(_values(crd))
    assert len(found) > 8
    assert found <= rows("reasons of a node")


def test_every_reason_in_the_table_of_a_node_is_one_of_the_agent() -> None:
    code = "\n".join(_code(path) for path in (ROOT / "operator/xdpredirect/agent").rglob("*.py"))
    assert rows("reasons of a node") <= set(REASON.findall(code))


def _code(path: Path) -> str:
    return path.read_text()


def _values(schema: Any) -> Iterator[str]:
    """Everything that an enumeration of the schema lists, and the types of conditions."""
    if isinstance(schema, dict):
        yield from (value for value in schema.get("enum", ()) if isinstance(value, str))
        for below in schema.values():
            yield from _values(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _values(below)


def _version(crd: str) -> Any:
    return yaml.safe_load((ROOT / "crds" / crd).read_text())["spec"]["versions"][0]


def _fields(schema: Any) -> Iterator[str]:
    for name, below in schema.get("properties", {}).items():
        yield name
        yield from _fields(below)
        yield from _fields(below.get("items", {}))


@pytest.mark.parametrize("crd", ["xdpredirects.yaml", "xdpredirectnodes.yaml"])
def test_every_field_of_a_status_is_told(crd: str) -> None:
    status = _version(crd)["schema"]["openAPIV3Schema"]["properties"]["status"]
    said = set(re.findall(r"[A-Za-z]+", TEXT))
    # These have a table of their own in the documentation of Kubernetes.
    assert set(_fields(status)) - said <= {"type", "lastTransitionTime", "status"}


def test_every_state_of_a_node_is_told() -> None:
    status = _version("xdpredirectnodes.yaml")["schema"]["openAPIV3Schema"]["properties"]["status"]
    state = status["properties"]["redirects"]["items"]["properties"]["state"]
    table = TEXT.split("| state | what |\n", 1)[1].split("\n\n", 1)[0]
    told = [w for row in table.splitlines()[1:] for w in _words(row.split("|")[1])]
    assert sorted(told) == sorted(state["enum"])


def test_every_column_is_told() -> None:
    columns = [one["name"].upper() for one in _version("xdpredirects.yaml")[COLUMNS]]
    table = TEXT.split("| column | what |\n", 1)[1].split("\n\n", 1)[0]
    told = [word for row in table.splitlines()[1:] for word in _words(row.split("|")[1])]
    assert told == columns


def test_every_part_of_config_is_one_that_is_told() -> None:
    said = TEXT.split("## Install", 1)[1].split("\n## ", 1)[0]
    words = {"namespace": "namespace", "rbac": "roles", "admission": "admission policies"}
    words |= {"operator": "operator's Deployment"}
    found = yaml.safe_load((ROOT / "config/kustomization.yaml").read_text())["resources"]
    assert {*words, "../crds"} == set(found)
    assert [part for part, word in words.items() if word not in said] == []


def _kubernetes() -> str:
    """Of the tests' control plane, such as 1.37."""
    pinned = (ROOT / "tests/cluster/binaries/kubernetes/go.mod").read_text()
    return re.findall(r"k8s\.io/kubernetes v(\d+\.\d+)\.", pinned)[0]


def test_numbers_are_those_of_the_code() -> None:
    bounds = _version("xdpredirectnodes.yaml")["schema"]["openAPIV3Schema"]["properties"]["spec"]
    fields = bounds["properties"]
    longest = report_policy.COUNTERS_SECONDS * 1.2
    for words in (
        f"| XdpRedirects on one node | {fields['redirects']['maxItems']} |",
        f"| address sets that one node uses | {fields['addressSets']['maxItems']} |",
        f"| status of a node object | {STATUS_LIMIT // 1000} kB |",
        f"| entries in `losses` and `failingNodes` | {TOP} |",
        f"more than {SIZE_LIMIT // 1024} KiB",
        f"after {report_policy.COLLECT_SECONDS} seconds",
        f"each {report_policy.REFILL_SECONDS:.0f} seconds",
        f"each {report_policy.COUNTERS_SECONDS:.0f} to {longest:.0f} seconds",
        f"counters each {Pace().counters:.0f} seconds at most",
        f"its lease | each {RENEW:.0f} seconds",
        f"within {DURATION + RETRY:.0f} seconds",
        f"watches start again, within {reflector.Pace().longest_backoff:.0f} seconds",
        f"renew its lease for {GIVE_UP:.0f} seconds",
        f"unanswered for {Settings().silence_seconds:.0f} seconds",
        f"`{FINALIZER}`",
        f"Tried with Kubernetes {_kubernetes()}.",
    ):
        assert words in " ".join(TEXT.split()), words
