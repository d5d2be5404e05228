"""Which reports count: those about the object in the spec that carries it now."""

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import condition, redirect, run_agents
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import Operator


def test_a_report_from_before_the_node_left_does_not_count(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    run_agents(cluster)
    operator.settle()
    for zone in ("9", "1"):
        cluster.write_node("a", {"zone": zone})
        operator.settle()
    assert condition(cluster, "Ready") == ("Unknown", "Progressing")
    assert redirect(cluster)["status"]["nodes"]["updated"] == 0
    Operator(cluster).settle()
    assert condition(cluster, "Ready") == ("Unknown", "Progressing")
    run_agents(cluster)
    operator.settle()
    assert condition(cluster, "Ready") == ("True", "Redirecting")


def test_a_change_of_another_object_does_not_make_this_one_wait(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    run_agents(cluster)
    operator.settle()
    cluster.write_redirect("other", spec())
    operator.settle()
    assert condition(cluster, "Ready", "other") == ("Unknown", "Progressing")
    assert condition(cluster, "Ready") == ("True", "Redirecting")
