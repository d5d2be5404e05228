"""The status of a node object: every state."""

from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from tests.unit.agent.test_status import STALLED
from tests.unit.cli.samples import finding, interface, loss, rule, thing
from xdpredirect.agent.node_status import About, Findings, node_status
from xdpredirect.agent.orders import Refusal
from xdpredirect.agent.outcome import Lingering
from xdpredirect.agent.report import (
    InterfaceReport,
    ObjectReport,
    Report,
    Severity,
)
from xdpredirect.api.node import FEATURES
from xdpredirect.host import XdpMode

NOW, LATER = "2026-01-02T03:04:05Z", "2026-01-02T04:00:00Z"
ABOUT = About(agent_version="1.2", kernel_version="6.18", features=tuple(FEATURES))
CONFLICT = finding(Severity.STALLED, reason="Conflicted", message="first has precedence on ens1f1")
GONE = Lingering(name="old", uid="u-old", generation=4, interfaces=("ens1f0",))


def made(
    *objects: ObjectReport,
    interfaces: tuple[InterfaceReport, ...] = (),
    previous: dict[str, Any] | None = None,
    now: str = NOW,
    **more: Any,
) -> dict[str, Any]:
    found = Findings(
        generation=7,
        revision=3,
        report=Report(objects=objects, interfaces=interfaces),
        uids={one.name: f"u-{one.name}" for one in objects},
        **more,
    )
    return node_status(found, ABOUT, previous or {}, now)


def condition(status: dict[str, Any], kind: str = "Ready") -> tuple[str, str, str]:
    (item,) = (item for item in status["conditions"] if item["type"] == kind)
    return item["status"], item["reason"], item["message"]


# What the agent found; state, reason, and the reason of degraded.
STATES: list[tuple[str, ObjectReport, str, str, str]] = [
    ("runs", thing(), "Active", "Redirecting", ""),
    ("at risk", thing(findings=(finding(),)), "Active", "Redirecting", "PartialChecksums"),
    ("no interface", thing(interfaces=()), "NoInterface", "NoInterface", "NoInterface"),
    ("not yet applied", thing(applied=2), "Pending", "Progressing", ""),
    ("stalled", thing(findings=(STALLED,)), "Stalled", "AddressSetMissing", ""),
    ("conflicted", thing(conflicted=("ens1f1",), interfaces=("ens1f0",), findings=(CONFLICT,)),
     "Conflicted", "Conflicted", ""),
    ("conflicted elsewhere", thing(conflicted=("ens1f0",), findings=(STALLED,)),
     "Stalled", "AddressSetMissing", ""),
    ("failed", thing(failed=("ens1f1",), interfaces=("ens1f0",)), "Failed", "ApplyFailed",
     "ApplyFailed"),
    ("paused", thing(state="Paused"), "Paused", "Paused", ""),
    ("detached", thing(state="Detached", interfaces=()), "Detached", "Detached", ""),
    ("still attached", thing(state="Detached"), "Pending", "Progressing", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "state", "reason", "risk"),
    [row[1:] for row in STATES],
    ids=[row[0] for row in STATES],
)
def test_states(
    found: ObjectReport,
    state: str,
    reason: str,
    risk: str,
    validator: jsonschema.Draft202012Validator,
) -> None:
    status = made(found, interfaces=(interface("ens1f0"), interface("ens1f1")))
    (entry,) = status["redirects"]
    assert (entry["uid"], entry["observedGeneration"]) == ("u-edge", 3)
    assert (entry["state"], entry["reason"]) == (state, reason)
    assert entry.get("degraded", {}).get("reason", "") == risk
    validator.validate(status)


def test_conflicted_names_the_winner() -> None:
    status = made(thing(conflicted=("ens1f1",), findings=(CONFLICT,)))
    assert status["redirects"][0]["message"] == "first has precedence on ens1f1"
    ready = condition(status)
    assert ready == ("False", "Conflicted", "edge: first has precedence on ens1f1")
    assert condition(status, "Stalled")[0] == "True"


def test_who_reports_about_what() -> None:
    status = made()
    assert status["observedRevision"] == 3
    assert (status["agentVersion"], status["kernelVersion"]) == ("1.2", "6.18")
    assert status["features"] == sorted(FEATURES)
    assert {item["observedGeneration"] for item in status["conditions"]} == {7}
    assert condition(status)[:2] == ("True", "NothingWanted")


def test_the_worst_object_speaks_for_the_node() -> None:
    stuck, failed = thing("a", findings=(STALLED,)), thing("b", failed=("ens1f0",))
    waits, runs = thing("c", applied=0), thing("d")
    assert condition(made(runs, waits, failed, stuck))[:2] == ("False", "AddressSetMissing")
    assert condition(made(runs, waits, failed))[:2] == ("False", "ApplyFailed")
    assert condition(made(runs, waits))[:2] == ("Unknown", "Progressing")
    assert condition(made(runs, thing("e", interfaces=()))) == (
        "True", "Redirecting", "1 of 2 XdpRedirects are running here",
    )  # fmt: skip
    assert condition(made(thing("e", interfaces=())))[:2] == ("True", "NoInterface")


def test_a_refused_spec_is_answered_and_what_runs_is_still_told() -> None:
    refusal = Refusal(uid="u", generation=7, revision=3, reason="AgentTooOld", message="upgrade")
    status = made(thing(), refusal=refusal)
    assert status["observedRevision"] == 3
    assert condition(status) == ("False", "AgentTooOld", "upgrade")
    assert condition(status, "Stalled")[:2] == ("True", "AgentTooOld")
    assert [entry["state"] for entry in status["redirects"]] == ["Active"]


def test_a_machine_that_could_not_be_looked_at() -> None:
    before = made(thing())
    found = Findings(generation=8, revision=4, report=None, problem="list links: EPERM")
    status = node_status(found, ABOUT, before, LATER)
    assert status["observedRevision"] == 3
    assert status["redirects"] == before["redirects"]
    assert condition(status) == ("False", "ApplyFailed", "list links: EPERM")
    assert condition(status, "Reconciling")[0] == "True"


def test_what_is_gone_is_told_until_it_is_detached(
    validator: jsonschema.Draft202012Validator,
) -> None:
    status = made(thing(), lingering=(GONE,))
    validator.validate(status)
    assert [entry["name"] for entry in status["redirects"]] == ["edge", "old"]
    assert (status["redirects"][1]["uid"], status["redirects"][1]["state"]) == ("u-old", "Pending")
    assert condition(status)[:2] == ("Unknown", "Detaching")
    broken = (interface("ens1f0", error="swap: EBUSY"),)
    entry = made(thing(), interfaces=broken, lingering=(GONE,))["redirects"][1]
    assert (entry["state"], entry["reason"]) == ("Failed", "DetachFailed")
    assert "swap: EBUSY" in entry["message"]


def test_sets_that_are_on_their_way_are_no_failure() -> None:
    status = made(thing(findings=(STALLED,)), reading_sets=True)
    assert status["redirects"][0]["state"] == "Pending"
    assert condition(status)[:2] == ("Unknown", "ReadingAddressSets")


def test_counters_of_several_interfaces_are_added() -> None:
    rules = (rule("edge", "to-b", "Device", ("eth2",), 100, 6400, 3, 1),)
    status = made(
        thing(losses=(loss("TargetDown", 7),)),
        interfaces=(
            interface("ens1f0", rules=rules),
            interface("ens1f1", rules=rules, mode=XdpMode.GENERIC),
        ),
    )
    (entry,) = status["redirects"]
    assert entry["rules"] == [
        {"name": "to-b", "packets": 200, "missedPackets": 6, "lostPackets": 7}
    ]
    assert entry["traffic"]["redirectedPackets"] == 192
    assert entry["interfaceCounts"] == {"native": 1, "generic": 1, "conflicted": 0, "failed": 0}
    assert [item["mode"] for item in entry["interfaces"]] == ["Native", "Generic"]
    assert entry["losses"][0]["target"] == "eth2"
    assert entry["losses"][0]["packets"] == 7


def test_an_interface_that_was_moved_says_where_it_is() -> None:
    moved = replace(interface("ens1f1"), away=True)
    status = made(thing(), interfaces=(interface("ens1f0"), moved))
    (entry,) = status["redirects"]
    assert entry["message"] == "running on ens1f0, ens1f1 (in another network namespace)"
    here, there = entry["interfaces"]
    assert "message" not in here
    assert (there["state"], there["message"][:14]) == ("Attached", "InterfaceAway:")


def test_transition_times_move_with_the_status_only() -> None:
    first = made(thing())
    again = made(thing(), previous=first, now=LATER)
    assert again == first
    worse = made(thing(findings=(STALLED,)), previous=first, now=LATER)
    times = {item["type"]: item["lastTransitionTime"] for item in worse["conditions"]}
    assert times == {"Ready": LATER, "Stalled": LATER, "Reconciling": NOW, "Degraded": NOW}


def test_a_status_of_another_version_is_no_obstacle() -> None:
    assert made(thing(), previous={"conditions": [{"type": 1}], "observedRevision": "x"})
