"""How an XdpRedirect becomes green or not, step by step, against a model of the API server."""

import copy

import pytest

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import condition, node_spec, redirect, run_agents, told
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import SILENCE, Operator
from xdpredirect.cluster.resource import NODE_OBJECTS, REDIRECTS
from xdpredirect.controller.actions import (
    AddFinalizer,
    ApplyNodeObject,
)
from xdpredirect.controller.observed import FINALIZER


def test_an_object_is_held_before_a_node_hears_of_it(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec())
    operator.look()
    planned = operator.plan()
    kinds = [type(action) for action in planned]
    assert AddFinalizer in kinds
    assert ApplyNodeObject not in kinds
    operator.act(planned)
    assert ApplyNodeObject in [type(action) for action in operator.plan()]
    operator.fleet.mark(operator.fleet.everything())
    operator.settle()
    assert redirect(cluster)["metadata"]["finalizers"] == [FINALIZER]


def test_it_is_green_only_after_every_node_acted_on_this_generation(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    assert condition(cluster, "Ready") == ("Unknown", "Progressing")
    run_agents(cluster, "a")
    operator.settle()
    assert condition(cluster, "Reconciling") == ("True", "Progressing")
    run_agents(cluster)
    operator.settle()
    assert condition(cluster, "Ready") == ("True", "Redirecting")
    cluster.write_redirect("edge", spec(priority=7))
    operator.settle()
    assert condition(cluster, "Ready") == ("Unknown", "Progressing")
    assert redirect(cluster)["status"]["nodes"]["updated"] == 0
    assert redirect(cluster)["status"]["observedGeneration"] == 2


def test_a_silent_node_is_counted_and_holds_nothing_up(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    run_agents(cluster, "a")
    operator.settle()
    assert condition(cluster, "Ready")[0] == "Unknown"
    cluster.now += SILENCE
    operator.settle()
    status = redirect(cluster)["status"]
    assert condition(cluster, "Ready") == ("True", "Redirecting")
    assert condition(cluster, "Degraded") == ("True", "NodeUnreachable")
    assert status["nodes"]["unreachable"] == 1
    assert [node["name"] for node in status["failingNodes"]] == ["b"]
    cluster.write_redirect("edge", spec(priority=7))
    operator.settle()
    run_agents(cluster, "a")
    operator.settle()
    assert condition(cluster, "Ready")[0] == "True", "asking again must not count as an answer"
    run_agents(cluster, "b")
    operator.settle()
    assert redirect(cluster)["status"]["nodes"] == {
        "selected": 2,
        "updated": 2,
        "ready": 2,
        "failed": 0,
        "unreachable": 0,
        "withoutInterface": 0,
    }


def test_nothing_is_green_while_nobody_answers(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    cluster.now += SILENCE
    operator.settle()
    assert condition(cluster, "Ready") == ("Unknown", "NodeUnreachable")


def test_a_report_about_an_object_of_the_same_name_before_does_not_count(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    run_agents(cluster)
    operator.settle()
    del cluster.store[REDIRECTS.plural]["edge"]  # somebody took the finalizer away
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    assert condition(cluster, "Ready")[0] == "Unknown"


def test_failing_nodes_speak_for_themselves(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    cluster.run_agent("a")
    cluster.run_agent("b", {"edge": "Conflicted"})
    operator.settle()
    assert condition(cluster, "Ready") == ("False", "Conflicted")
    assert condition(cluster, "Stalled") == ("True", "Conflicted")
    failing = redirect(cluster)["status"]["failingNodes"]
    assert failing == [{"name": "b", "reason": "Conflicted", "message": "Conflicted on eth0"}]


def test_a_failure_that_is_tried_again_is_not_stalled(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    cluster.run_agent("a")
    cluster.run_agent("b", {"edge": "Failed"})
    operator.settle()
    assert condition(cluster, "Stalled")[0] == "False"
    assert condition(cluster, "Reconciling")[0] == "True"


@pytest.mark.parametrize("state", ["Paused", "Detached"])
def test_states_go_to_the_agent_and_are_said(
    cluster: ModelCluster, operator: Operator, state: str
) -> None:
    cluster.write_redirect("edge", spec(state=state))
    operator.settle()
    for node in ("a", "b"):
        assert node_spec(cluster, node)["redirects"][0]["spec"]["state"] == state
        cluster.run_agent(node, {"edge": state})
    operator.settle()
    assert condition(cluster, "Ready") == ("True", state)


def test_an_operator_with_old_caches_is_refused(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    cut_off = Operator(cluster)
    cut_off.look()
    cluster.write_redirect("edge", spec(priority=7))
    operator.settle()
    cut_off.fleet.mark(cut_off.fleet.everything())
    cluster.write_node("a", {"zone": "9"})
    cut_off.fleet.drop_redirect("edge")
    refused = cut_off.act(cut_off.plan())
    assert len([text for text in refused if "409" in text]) == 2
    assert told(cluster, "a") == told(cluster, "b") == ["edge"]


def test_events_are_posted_on_transitions_only(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec())
    operator.settle()
    assert cluster.events == []
    run_agents(cluster)
    operator.settle()
    run_agents(cluster)
    operator.settle()
    cluster.run_agent("b", {"edge": "Conflicted"})
    operator.settle()
    told_of = [(event["type"], event["reason"]) for event in cluster.events]
    assert told_of == [
        ("Normal", "Redirecting"),
        ("Warning", "Conflicted"),
    ]
    assert cluster.events[0]["regarding"]["name"] == "edge"


def test_late_echoes_of_the_watch_change_nothing(cluster: ModelCluster, operator: Operator) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    old_object = copy.deepcopy(cluster.store[NODE_OBJECTS.plural]["a"])
    old_redirect = copy.deepcopy(redirect(cluster))
    cluster.write_redirect("edge", spec(priority=7, zone="1"))
    operator.settle()
    operator.fleet.put_object(old_object)
    operator.fleet.put_redirect(old_redirect)
    assert operator.plan() == ()
