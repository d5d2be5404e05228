"""Statuses: every standing of an object, the schema they must fit, and the JSON of reports."""

import json
from typing import Any

import jsonschema
import pytest

from tests.unit.agent.strict_schema import of_status
from tests.unit.cli.samples import busy, finding, interface, loss, rule, thing
from xdpredirect.agent.report import ObjectReport, Report, Severity
from xdpredirect.agent.status import (
    known_conditions,
    object_status,
    report_from_dict,
    report_to_dict,
    snapshot,
    traffic,
)
from xdpredirect.host import XdpMode

NOW, LATER = "2026-01-02T03:04:05Z", "2026-01-02T04:00:00Z"
STALLED = finding(Severity.STALLED, reason="AddressSetMissing", message="create the set")

# What the agent found; Ready, Reconciling, Stalled, Degraded ("-" for False); reason of Ready.
STANDINGS: list[tuple[str, ObjectReport, str, str]] = [
    ("runs", thing(), "True - - -", "Redirecting"),
    ("runs at risk", thing(findings=(finding(),)), "True - - PartialChecksums", "Redirecting"),
    ("information is no risk", thing(findings=(finding(Severity.INFO),)), "True - - -",
     "Redirecting"),
    ("selects nothing here", thing(selected=False, interfaces=()), "True - - NothingSelected",
     "NothingSelected"),
    ("not selected, old findings", thing(selected=False, findings=(STALLED,)),
     "True - - NothingSelected", "NothingSelected"),
    ("no interface", thing(interfaces=()), "True - - NoInterface", "NoInterface"),
    ("not yet applied", thing(applied=2), "Unknown Progressing - -", "Progressing"),
    ("never applied", thing(applied=0, interfaces=()), "Unknown Progressing - -", "Progressing"),
    ("stalled", thing(applied=2, findings=(STALLED,)), "False - AddressSetMissing -",
     "AddressSetMissing"),
    ("stalled and at risk", thing(findings=(finding(), STALLED)),
     "False - AddressSetMissing PartialChecksums", "AddressSetMissing"),
    ("conflicted", thing(conflicted=("ens1f1",), interfaces=("ens1f0",)),
     "False - Conflicted -", "Conflicted"),
    ("failed, tried again", thing(applied=2, failed=("ens1f1",), interfaces=()),
     "False ApplyFailed - ApplyFailed", "ApplyFailed"),
    ("paused and up to date", thing(state="Paused"), "True - - -", "Paused"),
    ("paused with a change waiting", thing(state="Paused", applied=2), "True - - -", "Paused"),
    ("paused from the start", thing(state="Paused", applied=0, interfaces=()), "True - - -",
     "Paused"),
    ("detached", thing(state="Detached", interfaces=()), "True - - -", "Detached"),
    ("still attached", thing(state="Detached"), "Unknown Progressing - -", "Progressing"),
]  # fmt: skip


def status_of(found: ObjectReport, *interfaces: Any) -> dict[str, Any]:
    return object_status(found, interfaces, (), NOW)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    """Of the status of an XdpRedirect."""
    return of_status("xdpredirects.yaml")


@pytest.mark.parametrize(
    ("found", "conditions", "reason"),
    [row[1:] for row in STANDINGS],
    ids=[row[0] for row in STANDINGS],
)
def test_every_standing_has_its_four_conditions(
    found: ObjectReport,
    conditions: str,
    reason: str,
    validator: jsonschema.Draft202012Validator,
) -> None:
    status = status_of(found, interface("ens1f0"), interface("ens1f1", error="EBUSY: held"))
    made = {item["type"]: item for item in status["conditions"]}
    assert list(made) == ["Ready", "Reconciling", "Stalled", "Degraded"]
    others = [made[kind] for kind in ("Reconciling", "Stalled", "Degraded")]
    told = [made["Ready"]["status"]]
    told += [item["reason"] if item["status"] == "True" else "-" for item in others]
    assert (" ".join(told), made["Ready"]["reason"]) == (conditions, reason)
    assert {item["observedGeneration"] for item in made.values()} == {found.generation}
    # kstatus: something under way is never stalled, and neither is current.
    assert not (made["Reconciling"]["status"] == made["Stalled"]["status"] == "True")
    if "True" in (made["Reconciling"]["status"], made["Stalled"]["status"]):
        assert made["Ready"]["status"] != "True"
    validator.validate(json.loads(json.dumps(status)))


def test_the_statuses_of_a_busy_machine_fit_the_schema(
    validator: jsonschema.Draft202012Validator,
) -> None:
    statuses: Any = snapshot(busy(), {}, NOW)["statuses"]
    for status in statuses.values():
        validator.validate(json.loads(json.dumps(status)))


def test_a_message_never_passes_the_limit_of_the_schema(
    validator: jsonschema.Draft202012Validator,
) -> None:
    status = status_of(thing(findings=(finding(message="word " * 900),) * 3))
    validator.validate(status)
    (degraded,) = (item for item in status["conditions"] if item["type"] == "Degraded")
    assert degraded["message"].endswith("word …")


@pytest.mark.parametrize(
    ("found", "nodes"),
    [
        (thing(), "selected updated ready"),
        (thing(applied=2), "selected"),
        (thing(applied=2, failed=("ens1f0",), interfaces=()), "selected failed"),
        (thing(findings=(STALLED,)), "selected updated failed"),
        (thing(interfaces=()), "selected updated ready withoutInterface"),
        (thing(state="Detached", interfaces=()), "selected updated ready"),
        (thing(selected=False, interfaces=()), ""),
    ],
)
def test_this_machine_counts_once(found: ObjectReport, nodes: str) -> None:
    counted = status_of(found)["nodes"]
    assert [name for name, number in counted.items() if number] == nodes.split()
    assert set(counted.values()) <= {0, 1}


def test_interfaces_are_counted_by_their_mode() -> None:
    found = thing(interfaces=("a", "b", "c"), conflicted=("d",))
    here = [
        interface("a"),
        interface("b"),
        interface("c", mode=XdpMode.GENERIC),
        interface("d"),
        interface("e", objects=("other",)),
    ]
    counted = status_of(found, *here)["interfaces"]
    assert counted == {"native": 2, "generic": 1, "conflicted": 1}


def test_traffic_is_that_of_the_object_and_by_kind_of_action() -> None:
    rules = (
        rule("edge", "a", "Device", ("x",), 100, 6400, 7, 3),
        rule("edge", "b", "CPUs", ("cpu 1",), 10, 640),
        rule("edge", "c", "TX", (), 5, 320),
        rule("edge", "d", "Pass", (), 20, 1280),
        rule("edge", "e", "Drop", (), 30, 1920),
        rule("other", "f", "Drop", (), 1000, 64000),
    )
    found = thing(losses=(loss("TargetDown", 40), loss("NoEntry", 2)))
    assert traffic(found, [interface("ens1f0", rules=rules)]) == {
        "redirectedPackets": 105,
        "passedPackets": 20,
        "droppedPackets": 30,
        "lostPackets": 42,
    }


def condition(status: dict[str, Any], kind: str) -> dict[str, str]:
    return next(item for item in status["conditions"] if item["type"] == kind)


def test_the_top_losses_are_in_the_status_and_degrade_while_they_go_on(
    validator: jsonschema.Draft202012Validator,
) -> None:
    many = tuple(loss(f"Reason{n}", 100 - n, hint="x" * 256) for n in range(12))
    quiet = status_of(thing(losses=many))
    validator.validate(quiet)
    assert [row["packets"] for row in quiet["losses"]] == list(range(100, 90, -1))
    assert set(quiet["losses"][0]) == {"reason", "errno", "rule", "packets", "hint"}
    assert condition(quiet, "Degraded")["status"] == "False"
    lossy = status_of(thing(losses=(loss("TargetDown", 40), loss("PeerDown", 2, rate=3.0))))
    degraded = condition(lossy, "Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "PeerDown")
    assert condition(lossy, "Ready")["status"] == "True"


def test_traffic_stays_within_what_json_numbers_hold() -> None:
    rules = (rule("edge", "a", "Drop", (), 2**63, 0),)
    assert traffic(thing(), [interface("x", rules=rules)])["droppedPackets"] == 2**53 - 1


def test_a_transition_time_moves_with_the_status_and_not_with_the_reason() -> None:
    first = snapshot(Report(objects=(thing(),), interfaces=()), {}, NOW)
    paused = snapshot(Report(objects=(thing(state="Paused"),), interfaces=()), first, LATER)
    (ready, *_) = known_conditions(paused, "edge")
    assert (ready.reason, ready.last_transition_time) == ("Paused", NOW)
    stalled = snapshot(Report(objects=(thing(findings=(STALLED,)),), interfaces=()), paused, LATER)
    times = {c.type: c.last_transition_time for c in known_conditions(stalled, "edge")}
    assert times == {"Ready": LATER, "Reconciling": NOW, "Stalled": LATER, "Degraded": NOW}


@pytest.mark.parametrize(
    "previous",
    [{}, {"statuses": 1}, {"statuses": {"edge": None}}, {"statuses": {"edge": {"conditions": [1]}}},
     {"statuses": {"edge": {"conditions": [{"type": "Ready"}]}}}],
)  # fmt: skip
def test_conditions_that_another_version_wrote_are_made_anew(previous: dict[str, object]) -> None:
    assert known_conditions(previous, "edge") == ()
    assert known_conditions(snapshot(busy(), previous, NOW), "edge")


def test_a_report_survives_json() -> None:
    text = json.dumps(report_to_dict(busy()))
    assert report_from_dict(json.loads(text)) == busy()
    assert '"appliedGeneration": 11' in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v.pop("objects"), "report: lacks objects"),
        (lambda v: v.update(interfaces={}), "report.interfaces: not a list"),
        (lambda v: v["objects"][1].update(generation="3"), r"report.objects\[1\].generation: '3'"),
        (lambda v: v["interfaces"][0].update(mode="Fast"), "'Fast' is not a valid XdpMode"),
        (lambda v: v["interfaces"].append(7), r"report.interfaces\[3\]: not a mapping"),
    ],
)
def test_what_is_no_report_is_refused_with_its_place(change: Any, words: str) -> None:
    value = report_to_dict(busy())
    change(value)
    with pytest.raises(ValueError, match=words):
        report_from_dict(value)
