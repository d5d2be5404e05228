"""Nodes that owe an answer: from when the bound counts, and what ends it."""

import pytest

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import node_spec, redirect, run_agents
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import SILENCE, Operator
from xdpredirect.cluster.resource import REDIRECTS


@pytest.mark.parametrize("skew", [-10 * SILENCE, 10 * SILENCE])
def test_clocks_that_differ_neither_end_a_deletion_nor_hold_it(
    cluster: ModelCluster, skew: float
) -> None:
    operator = Operator(cluster, skew)
    cluster.write_redirect("edge", spec())
    operator.settle()
    run_agents(cluster)
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    run_agents(cluster, "a")
    cluster.now += SILENCE - 1
    operator.settle()
    assert "edge" in cluster.store[REDIRECTS.plural]
    cluster.now += 1
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


def test_another_operator_gives_nodes_the_whole_time_again(cluster: ModelCluster) -> None:
    first = Operator(cluster)
    cluster.write_redirect("edge", spec())
    first.settle()
    cluster.now += 10 * SILENCE
    second = Operator(cluster)
    second.settle()
    assert redirect(cluster)["status"]["nodes"]["unreachable"] == 0
    cluster.now += SILENCE
    second.settle()
    assert redirect(cluster)["status"]["nodes"]["unreachable"] == 2


def test_a_node_that_says_something_else_gets_the_whole_time_again(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    run_agents(cluster)
    operator.settle()
    cluster.write_redirect("edge", spec(priority=7))
    operator.settle()
    cluster.now += SILENCE - 1
    cluster.report("a", reason="busy")
    operator.settle()
    cluster.now += SILENCE - 1
    operator.settle()
    assert operator.fleet.answers.spec.silent == {"b"}


REASONS = ("Detaching", "DetachFailed", "AgentTooOld")


def still_detaching(cluster: ModelCluster, operator: Operator, reason: str) -> None:
    """`edge` is deleted; `a` has answered and reports it still, `b` lets go."""
    cluster.write_redirect("edge", spec())
    operator.settle()
    run_agents(cluster)
    operator.settle()
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    run_agents(cluster, "b")
    cluster.report("a", answers=True, state="Failed", reason=reason)
    operator.settle()


@pytest.mark.parametrize("reason", REASONS)
def test_a_node_that_answered_and_then_died_does_not_hold_a_deletion_for_ever(
    cluster: ModelCluster, operator: Operator, reason: str
) -> None:
    still_detaching(cluster, operator, reason)
    assert node_spec(cluster, "a")["revision"] == 2
    cluster.now += SILENCE
    operator.settle()
    assert node_spec(cluster, "a")["revision"] == 3, "it is asked again"
    assert "edge" in cluster.store[REDIRECTS.plural]
    cluster.now += SILENCE
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


@pytest.mark.parametrize("reason", REASONS)
def test_a_node_that_lives_and_fails_to_detach_holds_a_deletion(
    cluster: ModelCluster, operator: Operator, reason: str
) -> None:
    still_detaching(cluster, operator, reason)
    for revision in (3, 4, 5):
        cluster.now += SILENCE
        operator.settle()
        assert node_spec(cluster, "a")["revision"] == revision
        cluster.report("a", answers=True)
        operator.settle()
    assert "edge" in cluster.store[REDIRECTS.plural]
    run_agents(cluster, "a")
    operator.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


def test_nobody_is_asked_again_while_no_deletion_waits(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    run_agents(cluster)
    cluster.write_node("a", {"zone": "9"})
    operator.settle()
    cluster.report("a", answers=True, state="Failed", reason="DetachFailed")
    operator.settle()
    cluster.now += 10 * SILENCE
    assert operator.settle() == []
    cluster.delete(REDIRECTS, "edge")
    operator.settle()
    assert node_spec(cluster, "a")["revision"] == 3
