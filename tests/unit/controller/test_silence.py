"""Nodes that owe an answer: from when the bound counts, and what ends it."""

import pytest

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import redirect, run_agents
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
    assert operator.fleet.silence.silent == {"b"}
