"""What others write beside the operator: operators that do not know yet that they no longer lead,
and managers that have fields of their own in a status."""

import pytest

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import condition, node_spec, redirect, run_agents, told
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import Operator

FOREIGN = {"type": "Approved", "status": "True", "reason": "ByHand", "message": "seen"}


@pytest.mark.parametrize("told_before", [False, True])
def test_a_first_apply_of_who_led_before_is_refused(
    cluster: ModelCluster, operator: Operator, told_before: bool
) -> None:
    cluster.write_redirect("edge", spec())
    if told_before:
        operator.settle()
    cut_off = Operator(cluster)
    cut_off.look()
    cut_off.act(cut_off.plan())
    for name in ("a", "b"):
        cut_off.fleet.drop_object(name)
    cut_off.fleet.mark(cut_off.fleet.everything())
    cluster.write_redirect("edge", spec(priority=7))
    Operator(cluster, term=2).settle()
    before = {name: node_spec(cluster, name) for name in ("a", "b")}
    assert {told["revision"] for told in before.values()} == {2}
    refused = [text for text in cut_off.act(cut_off.plan()) if "revision" in text]
    assert len(refused) == 2
    assert {name: node_spec(cluster, name) for name in ("a", "b")} == before


def test_a_leader_whose_first_apply_is_refused_goes_on_from_what_there_is(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    cluster.write_redirect("edge", spec(priority=7))
    operator.settle()
    behind = Operator(cluster)
    behind.look()
    cluster.write_redirect("edge", spec(priority=8))
    for name in ("a", "b"):
        behind.fleet.drop_object(name)
    behind.fleet.put_redirect(redirect(cluster))
    refused = behind.act(behind.plan())
    assert len([text for text in refused if "revision" in text]) == 2
    behind.fleet.mark(behind.fleet.everything())
    behind.settle()
    assert [e["generation"] for e in node_spec(cluster, "a")["redirects"]] == [3]
    assert node_spec(cluster, "a")["revision"] == 3
    assert told(cluster, "b") == ["edge"]


def test_conditions_and_fields_of_others_stay_and_are_no_reason_to_write(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    status = redirect(cluster)["status"]
    status["conditions"].insert(0, dict(FOREIGN))
    status["nodes"]["drained"] = 3
    status["note"] = "of somebody else"
    cluster.write_node("c", {})
    operator.settle()
    before = cluster.writes
    assert Operator(cluster).settle() == []
    assert cluster.writes == before
    run_agents(cluster)
    done = operator.settle()
    assert [str(action) for action in done if "status" in str(action)] == ["edge: status"]
    assert condition(cluster, "Ready") == ("True", "Redirecting")
    assert FOREIGN in redirect(cluster)["status"]["conditions"]


def test_a_condition_of_others_does_not_make_counters_urgent(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    run_agents(cluster)
    operator.settle()
    redirect(cluster)["status"]["conditions"].append(dict(FOREIGN))
    redirect(cluster)["metadata"]["resourceVersion"] = "1000"
    cluster.report("a", traffic={"redirectedPackets": 77})
    operator.look()
    (told_of,) = operator.plan()
    assert not told_of.urgent  # type: ignore[union-attr]
