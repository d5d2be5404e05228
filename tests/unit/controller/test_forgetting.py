"""What is gone leaves nothing behind: names come and go for as long as the operator lives."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import SILENCE, Operator
from tests.unit.controller.test_loop import Refusing, Running, until
from tests.unit.controller.test_plan_property import NAMES, NODE_NAMES, happen, happenings
from xdpredirect.cluster.resource import NODES, REDIRECTS
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.pending import Pending


def kept(thing: object) -> dict[str, int]:
    """Sizes of everything that is kept by name, and is not empty."""
    found: dict[str, int] = {}
    for name, value in vars(thing).items():
        if isinstance(value, dict | set | list):
            found |= {name: len(value)} if value else {}
        elif type(value).__module__.startswith("xdpredirect.controller.silence"):
            found |= {f"{name}.{inner}": size for inner, size in kept(value).items()}
    return found


@settings(max_examples=60)
@given(st.lists(happenings, max_size=25))
def test_caches_are_empty_when_the_cluster_is(story: list[tuple[object, ...]]) -> None:
    cluster = ModelCluster()
    operator = Operator(cluster)
    for what in story:
        happen(cluster, what)
        operator.settle()
    for name in NAMES:
        cluster.delete(REDIRECTS, name)
    operator.settle()
    for name in NODE_NAMES:
        cluster.run_agent(name)
    cluster.now += 2 * SILENCE
    operator.settle()
    cluster.now += 2 * SILENCE
    operator.settle()
    # A node that was let go of when it could not answer is remembered, on purpose.
    for name in NODE_NAMES:
        cluster.run_agent(name)
    operator.settle()
    for name in NODE_NAMES:
        cluster.delete(NODES, name)
    operator.settle()
    answers = operator.fleet.answers
    assert answers.estranged == answers.unfinished.keys()
    answers.unfinished.clear()
    answers.estranged.clear()
    operator.fleet.take_due()
    assert kept(operator.fleet) == {}


def test_a_key_that_is_gone_is_forgotten() -> None:
    pending = Pending(chance=lambda: 0.5)
    for kind in ("node", "redirect"):
        pending.failed(kind, "a", 100.0, 0.0)
        pending.wait(kind, "a", 200.0)
    pending.rest("a", 300.0)
    pending.forget("node", "a")
    assert pending.blocked("redirect", "a", 100.0)
    pending.forget("redirect", "a")
    assert pending == Pending(chance=pending.chance)


def test_the_loop_keeps_nothing_of_what_is_gone() -> None:
    cluster = Refusing()
    cluster.write_redirect("kept", {"nodeSelector": {"matchLabels": {"zone": "9"}}})
    running = Running(cluster)
    running.loop.start()
    for turn in range(5):
        name = f"n{turn}"
        cluster.refused = {name}
        cluster.write_node(name, {"zone": "1"})
        cluster.write_redirect(name, {"nodeSelector": {"matchLabels": {"zone": "1"}}})
        running.hear()
        running.hear_redirect(name)
        until(lambda key=("node", name): key in waiting(running), "it is refused")  # type: ignore[misc]
        gone = cluster.store[REDIRECTS.plural].pop(name)
        cluster.delete(NODES, name)
        running.feed.heard("DELETED", gone)
        running.hear()
        until(lambda fleet=running.fleet: not fleet.nodes, "it is gone")  # type: ignore[misc]
    until(lambda: set(running.fleet.redirects) == {"kept"}, "all are gone")
    until(lambda: {name for _, name in waiting(running)} <= {"kept"}, "and forgotten")
    running.loop.stop()
    running.loop.join()


def waiting(running: Running) -> dict[Any, Any]:
    """Every key that the loop keeps something of."""
    pending = running.loop._pending
    resting = {("redirect", name): at for name, at in [*pending._resting.items()]}
    found = ({**pending._until}, {**pending._backoffs}, {**pending._waiting}, resting)
    return {key: value for part in found for key, value in part.items()}


def test_a_fleet_that_was_never_told_anything_keeps_nothing() -> None:
    assert kept(Fleet(SILENCE)) == {}


def test_a_dead_agent_piles_up_no_names_of_what_it_never_answered() -> None:
    cluster = ModelCluster()
    cluster.write_node("a", {"zone": "1"})
    operator = Operator(cluster)
    for turn in range(9):
        cluster.write_redirect(f"n{turn}", {"nodeSelector": {"matchLabels": {"zone": "1"}}})
        operator.settle()
        cluster.delete(REDIRECTS, f"n{turn}")
        operator.settle()
        cluster.now += SILENCE
        operator.settle()
    assert cluster.store[REDIRECTS.plural] == {}
    assert operator.fleet.objects["a"].earlier <= {"n8"}
