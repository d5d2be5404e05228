"""One status out of many nodes: its sums, its size, and that it only changes when they do."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.controller.documents import spec
from xdpredirect.api.node_size import stored_size
from xdpredirect.controller.observed import Loss, Redirect, Report
from xdpredirect.controller.read_redirect import read_redirect
from xdpredirect.controller.rollup import COUNT_LIMIT, SIZE_LIMIT, roll_up
from xdpredirect.controller.standing import Part, Standing
from xdpredirect.controller.tally import Tally

NOW = "2026-11-23T03:00:00Z"
LATER = "2026-11-23T04:00:00Z"
AWKWARD = st.text(st.sampled_from('a<é"\\\u2028\U0001f980 \n'), max_size=600)


def redirect(**more: Any) -> Redirect:
    metadata = {"name": "edge", "uid": "u", "generation": 3, "resourceVersion": "9"}
    return read_redirect({"metadata": metadata, "spec": spec(), **more})


def report(state: str = "Active", **more: Any) -> Report:
    words = {"reason": state, "message": f"{state} on eth0"}
    return Report(**{"uid": "u", "generation": 3, "state": state, **words, **more})


def ready(**more: Any) -> Part:
    return Part(Standing.READY, "Redirecting", "", True, report(**more))


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}


losses = st.builds(
    Loss,
    reason=st.sampled_from(["QueueFull", "LinkDown", "NoTarget"]),
    errno=st.sampled_from(["", "ENETDOWN"]),
    rule=st.sampled_from(["", "web"]),
    packets=st.integers(1, 10**6),
    hint=st.sampled_from(["short", "a longer hint"]),
)
parts = st.builds(
    Part,
    standing=st.sampled_from(Standing),
    reason=st.sampled_from(["A", "B"]),
    message=st.sampled_from(["words", "others"]),
    updated=st.booleans(),
    report=st.none()
    | st.builds(
        report,
        risk=st.sampled_from(["", "GenericMode"]),
        native=st.integers(0, 4),
        lost=st.integers(0, 9),
        losses=st.lists(losses, max_size=4).map(tuple),
    ),
)
changes = st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | parts), max_size=40)


@settings(max_examples=60)
@given(changes)
def test_sums_kept_node_by_node_are_those_of_the_fleet(
    story: list[tuple[str, Part | None]],
) -> None:
    kept, last = Tally(), dict[str, Part]()
    for node, part in story:
        kept.put(node, part)
        last.pop(node, None)
        if part is not None:
            last[node] = part
    fresh = Tally()
    for node in sorted(last):
        fresh.put(node, last[node])
    assert roll_up(redirect(), kept, (), NOW) == roll_up(redirect(), fresh, (), NOW)


@settings(max_examples=60)
@given(changes)
def test_nothing_new_is_the_same_status(story: list[tuple[str, Part | None]]) -> None:
    tally = Tally()
    for node, part in story:
        tally.put(node, part)
    status = roll_up(redirect(), tally, (), NOW)
    again = roll_up(redirect(status=status), tally, (), LATER)
    assert again == status


def test_losses_of_many_nodes_are_one_cause() -> None:
    tally = Tally()
    cause = {"reason": "QueueFull", "errno": "", "rule": "web"}
    for number in range(5):
        lost = (
            Loss(**cause, packets=10, hint="make the queue longer"),
            Loss(**cause, packets=number, hint="make the queue longer"),
        )
        tally.put(f"n{number}", ready(lost=10 + number, losses=lost))
    tally.put("other", ready(losses=(Loss(**{**cause, "rule": ""}, packets=999, hint="h"),)))
    status: Any = roll_up(redirect(), tally, (), NOW)
    assert status["losses"] == [
        {**cause, "rule": "", "packets": 999, "nodes": 1, "hint": "h"},
        {**cause, "packets": 60, "nodes": 5, "hint": "make the queue longer"},
    ]
    for number in range(5):
        tally.put(f"n{number}", None)
    status = roll_up(redirect(), tally, (), NOW)
    assert [item["rule"] for item in status["losses"]] == [""]


def test_only_the_ten_that_cost_most_are_named() -> None:
    tally = Tally()
    lost = tuple(Loss(reason=f"R{n}", errno="", rule="", packets=n, hint="") for n in range(1, 13))
    tally.put("a", ready(losses=lost))
    status: Any = roll_up(redirect(), tally, (), NOW)
    assert [item["packets"] for item in status["losses"]] == list(range(12, 2, -1))


def test_ten_failing_nodes_speak_those_that_fail_before_those_that_are_silent() -> None:
    tally = Tally()
    for number in range(8):
        tally.put(f"z{number}", Part(Standing.STALLED, "Conflicted", f"words of z{number}"))
    for number in range(8):
        tally.put(f"a{number}", Part(Standing.SILENT))
    status: Any = roll_up(redirect(), tally, (), NOW)
    names = [item["name"] for item in status["failingNodes"]]
    assert names == [*(f"z{n}" for n in range(8)), "a0", "a1"]
    assert status["failingNodes"][0]["message"] == "words of z0"
    assert status["nodes"]["unreachable"] == 8


@settings(max_examples=25)
@given(AWKWARD)
def test_no_fleet_makes_it_larger_than_16_kib(words: str) -> None:
    tally = Tally()
    wide = random.Random(len(words))
    for number in range(40):
        lost = tuple(
            Loss(
                reason="R" * 64,
                errno="E" * 16,
                rule=f"{number:02}{n:02}".ljust(63, "r"),
                packets=COUNT_LIMIT - wide.randrange(9),
                hint=words[:256].ljust(256, "é"),
            )
            for n in range(10)
        )
        told = report(
            "Stalled", message=words[:512], risk="W" * 64, risk_message=words[:512], losses=lost
        )
        name = f"n{number:02}".ljust(253, "x")
        tally.put(name, Part(Standing.STALLED, "F" * 64, words[:512].ljust(512, "<"), True, told))
    status: Any = roll_up(redirect(), tally, (), NOW)
    assert stored_size(status) <= SIZE_LIMIT
    assert len(status["failingNodes"]) == len(status["losses"]) == 10
    assert all(item["reason"] and item["name"] for item in status["failingNodes"])


def test_the_whole_worst_case_of_plain_words_keeps_them() -> None:
    tally = Tally()
    for number in range(10):
        lost = tuple(
            Loss(
                reason="R" * 64,
                errno="E" * 16,
                rule=f"{n}".ljust(63, "r"),
                packets=n,
                hint="h" * 256,
            )
            for n in range(10)
        )
        name = f"n{number}".ljust(40, "x")
        told = report("Stalled", risk="W" * 64, risk_message="w " * 200, losses=lost)
        tally.put(name, Part(Standing.STALLED, "F" * 64, "why " * 60, True, told))
    status: Any = roll_up(redirect(), tally, (), NOW)
    assert stored_size(status) <= SIZE_LIMIT
    assert status["failingNodes"][0]["message"] == ("why " * 60)
    assert status["losses"][0]["hint"] == "h" * 256


def test_transition_times_move_with_the_status_only() -> None:
    tally = Tally()
    tally.put("a", Part(Standing.WAITING))
    first = roll_up(redirect(), tally, (), NOW)
    tally.put("a", ready())
    second: Any = roll_up(redirect(status=first), tally, (), LATER)
    times = {item["type"]: item["lastTransitionTime"] for item in second["conditions"]}
    assert times == {"Ready": LATER, "Reconciling": LATER, "Stalled": NOW, "Degraded": NOW}


def test_counters_stay_within_what_javascript_can_count() -> None:
    tally = Tally()
    for name in "ab":
        tally.put(name, ready(redirected=COUNT_LIMIT, lost=COUNT_LIMIT))
    status: Any = roll_up(redirect(), tally, (), NOW)
    assert status["traffic"]["redirectedPackets"] == COUNT_LIMIT
    assert status["traffic"]["lostPackets"] == COUNT_LIMIT


def test_nodes_without_such_an_interface_are_counted_and_hold_nothing_up() -> None:
    tally = Tally()
    tally.put("a", ready(native=2))
    tally.put("b", Part(Standing.WITHOUT_INTERFACE, "NoInterface", "", True, report("NoInterface")))
    status: Any = roll_up(redirect(), tally, (), NOW)
    assert conditions(status)["Ready"] == ("True", "Redirecting")
    assert status["nodes"]["withoutInterface"] == 1
    assert status["conditions"][0]["message"] == (
        "running on 2 interfaces of 1 node; 1 node without such an interface"
    )
    tally.put("a", None)
    assert conditions(roll_up(redirect(), tally, (), NOW))["Degraded"] == ("True", "NoInterface")


def test_frames_at_risk_are_degraded_and_still_ready() -> None:
    tally = Tally()
    tally.put("a", ready())
    tally.put("b", ready(risk="GenericMode", risk_message="veth1: no native XDP"))
    status: Any = roll_up(redirect(), tally, (), NOW)
    assert conditions(status)["Ready"] == ("True", "Redirecting")
    assert conditions(status)["Degraded"] == ("True", "GenericMode")
    assert status["conditions"][3]["message"] == "1 of 2 nodes; b: veth1: no native XDP"
