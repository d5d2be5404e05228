"""The operator's metrics: a status as samples, and totals that never go back."""

import threading
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.controller.documents import spec
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import Operator
from tests.unit.controller.test_loop import Running, running, until
from tests.unit.controller.test_process import Leases
from tests.unit.controller.test_rollup import NOW, changes, redirect, report
from tests.unit.metrics.exposed import values
from xdpredirect.cluster.requests import NO_ANSWER, RequestCount
from xdpredirect.cluster.resource import LEASES
from xdpredirect.conditions import TYPES, Truth
from xdpredirect.controller import exporter, process
from xdpredirect.controller.actions import AddFinalizer
from xdpredirect.controller.counted import Cause, Counted
from xdpredirect.controller.election import Election
from xdpredirect.controller.exporter import Exporter
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.metrics import CATALOGUE, Standing, samples
from xdpredirect.controller.observed import Loss
from xdpredirect.controller.rollup import TOP, roll_up
from xdpredirect.controller.standing import Part
from xdpredirect.controller.standing import Standing as On
from xdpredirect.controller.tally import Tally
from xdpredirect.controller.view import FleetView, RedirectView, view
from xdpredirect.controller.writes import KINDS, RESULTS, Writes
from xdpredirect.errors import ApiError

__all__ = ["running"]  # a fixture


def lost(packets: int, reason: str = "TargetDown", rule: str = "web") -> Loss:
    return Loss(reason=reason, errno="ENETDOWN", rule=rule, packets=packets, hint="set it up")


def part(**more: Any) -> Part:
    return Part(On.READY, "Active", "", True, report(**more))


def fleet_view(tally: Tally) -> FleetView:
    fleet = Fleet(60.0)
    fleet.redirects["edge"] = redirect(status=roll_up(redirect(), tally, (), NOW))
    fleet.tallies["edge"] = tally
    return view(fleet)


def told(fleet: FleetView | None) -> dict[tuple[Any, ...], float]:
    return values(CATALOGUE, samples(Standing(version="1", leader=True, fleet=fleet)))


def of(name: str, **labels: str) -> tuple[Any, ...]:
    return (f"xdpredirect_{name}", *sorted({"redirect": "edge", **labels}.items()))


def test_a_status_as_samples() -> None:
    tally = Tally()
    numbers = {"redirected": 90, "passed": 7, "dropped": 3, "lost": 5, "native": 2, "generic": 1}
    tally.put("a", part(**numbers, losses=(lost(3), lost(2))))
    tally.put("b", Part(On.SILENT, report=report(redirected=10)))
    found = told(fleet_view(tally))
    assert found[of("condition", type="Ready", status="True")] == 1
    assert found[of("condition", type="Ready", status="False")] == 0
    assert found[of("condition", type="Degraded", status="True")] == 1, "a node is silent"
    states = ("selected", "updated", "ready", "failed", "unreachable", "without_interface")
    assert [found[of("nodes", state=state)] for state in states] == [2, 1, 1, 0, 1, 0]
    modes = ("native", "generic", "conflicted")
    assert [found[of("interfaces", mode=mode)] for mode in modes] == [2, 1, 0]
    actions = ("redirected", "passed", "dropped")
    assert [found[of("packets_total", action=action)] for action in actions] == [100, 7, 3]
    assert found[of("lost_packets_total")] == 5
    cause = {"reason": "TargetDown", "errno": "ENETDOWN", "rule": "web"}
    assert found[of("loss_packets_total", **cause)] == 5, "of all targets"


def test_before_a_status_every_condition_is_unknown() -> None:
    known = RedirectView(
        name="edge", status={}, packets=dict.fromkeys(("redirected",), 0), lost=0, losses=()
    )
    found = told(FleetView(nodes=0, node_objects=0, redirects=(known,)))
    for kind in TYPES:
        assert found[of("condition", type=kind, status="Unknown")] == 1
    assert found[of("nodes", state="ready")] == 0


def test_the_number_of_series_does_not_depend_on_the_nodes() -> None:
    def series(nodes: int) -> int:
        tally = Tally()
        for node in range(nodes):
            losses = tuple(lost(n + 1, rule=f"rule-{n}") for n in range(30))
            tally.put(f"node-{node}", part(redirected=node, losses=losses))
        return len(told(fleet_view(tally)))

    assert series(1) == series(300)
    tally = Tally()
    tally.put("a", part(losses=tuple(lost(n, rule=f"r{n}") for n in range(1, 40))))
    rules = {dict(key[1:]).get("rule") for key in told(fleet_view(tally))} - {None}
    assert rules == {f"r{n}" for n in range(39, 39 - TOP, -1)}, "those that cost most"


def totals(tally: Tally) -> list[int]:
    counted = tally.counted
    return [counted.redirected, counted.passed, counted.dropped, counted.lost]


@settings(max_examples=60)
@given(changes)
def test_totals_never_go_back(story: list[tuple[str, Part | None]]) -> None:
    tally, before = Tally(), [0, 0, 0, 0]
    for node, what in story:
        causes = dict(tally.counted.losses)
        tally.put(node, what)
        assert all(now >= then for now, then in zip(totals(tally), before, strict=True))
        before = totals(tally)
        assert tally.counted.losses.keys() == tally.losses.keys()
        for cause, packets in tally.counted.losses.items():
            assert packets >= causes.get(cause, 0)
            assert packets >= tally.losses[cause].packets


@given(st.lists(st.integers(0, 50), max_size=30))
def test_a_total_is_what_prometheus_would_make_of_the_nodes_own(counts: list[int]) -> None:
    counted, before, expected = Counted(), None, 0
    last = 0
    for count in counts:
        after = report(redirected=count)
        counted.add(before, after)
        expected += count - last if count >= last else count
        before, last = after, count
    assert counted.redirected == expected


def test_what_a_node_that_left_had_counted_stays() -> None:
    tally = Tally()
    tally.put("a", part(redirected=100, losses=(lost(4),)))
    tally.put("b", part(redirected=10, losses=(lost(1),)))
    tally.put("a", None)
    assert tally.redirected == 10
    assert tally.counted.redirected == 110
    assert tally.counted.losses == {Cause("TargetDown", "ENETDOWN", "web"): 5}
    tally.put("b", part(redirected=3))
    assert tally.counted.redirected == 113, "it began anew"
    assert not tally.counted.losses, "nobody gives this cause any more"


def test_writes_are_counted_by_what_came_of_them() -> None:
    writes = Writes()
    assert len(list(writes)) == len({*KINDS.values()}) * len(RESULTS)
    action = AddFinalizer(redirect="edge", resource_version="1", finalizers=())
    for error in (None, None, ApiError(409, "Conflict", ""), ApiError(500, "Internal", "")):
        writes.note(action, error)
    found = {(kind, result): count for kind, result, count in writes if count}
    assert found == {
        ("finalizer", "done"): 2,
        ("finalizer", "conflict"): 1,
        ("finalizer", "failed"): 1,
    }


class Process:
    """What a leader is to an exporter. `answers`: its loop takes questions."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.answers = fleet, True
        self.loop: Any = type("Loop", (), {"passes": 0, "missed": 2, "writes": Writes()})()

    def leads(self) -> bool:
        return self.loop is not None

    def heard(self) -> dict[str, float]:
        return {"loop": 0.0, "election": 0.0}

    def ask(self, question: Callable[[Fleet], None]) -> None:
        if self.answers:
            threading.Thread(target=question, args=(self.fleet,), daemon=True).start()


def page(made: Exporter) -> str:
    answer = made.page()
    assert (answer.status, answer.content_type.split(";")[0]) == (200, "text/plain")
    return answer.body.decode()


def test_a_page_of_the_whole_fleet_or_of_none(monkeypatch: Any) -> None:
    monkeypatch.setattr(exporter, "PATIENCE_SECONDS", 20.0)
    cluster = ModelCluster()
    cluster.write_node("a", {"zone": "1"})
    cluster.write_redirect("edge", spec(zone="1"))
    operator = Operator(cluster)
    operator.settle()
    source, one, two = Process(operator.fleet), RequestCount(), RequestCount()
    for status in (200, 200, 409, 0):
        one.add(status)
    two.add(200)
    made = Exporter(source, (one, two))
    half = page(made)
    assert 'redirect="edge"' not in half, "the caches are not filled yet"
    assert 'xdpredirect_operator_api_requests_total{code="200"} 3.0' in half
    assert f'xdpredirect_operator_api_requests_total{{code="{NO_ANSWER}"}} 1.0' in half
    assert "xdpredirect_operator_missed_lists 2.0" in half
    assert "process_resident_memory_bytes " in half
    source.loop.passes = 1
    assert 'xdpredirect_nodes{redirect="edge",state="selected"} 1.0' in page(made)
    source.answers = False
    monkeypatch.setattr(exporter, "PATIENCE_SECONDS", 0.01)
    assert 'xdpredirect_nodes{redirect="edge",state="selected"} 1.0' in page(made), "as before"
    source.loop = None
    waiting = page(made)
    assert 'redirect="edge"' not in waiting
    assert "xdpredirect_operator_leader 0.0" in waiting


def test_a_scrape_of_a_loop_at_work(running: Running) -> None:
    running.loop.start()
    until(lambda: running.loop.passes > 1, "it made a pass")
    until(lambda: any(kind == "status" and n for kind, _, n in running.loop.writes), "it wrote")
    lease = Election(Leases(), LEASES.within("system"), "lease", "only")
    leader: Any = process.Leader(None, None, lease, "only")  # type: ignore[arg-type]
    leader.loop, leader.inbox = running.loop, running.inbox
    told = page(Exporter(leader, ()))
    assert 'xdpredirect_nodes{redirect="edge",state="selected"} 2.0' in told
    assert 'xdpredirect_operator_writes_total{kind="finalizer",result="done"} 1.0' in told
    assert 'xdpredirect_operator_objects{kind="Node"} 2.0' in told
    assert 'xdpredirect_operator_silence_seconds{source="loop"}' in told
    assert "xdpredirect_operator_leader 0.0" in told


def test_every_truth_of_a_condition_is_a_status() -> None:
    assert {str(one) for one in Truth} == {"True", "False", "Unknown"}
