"""Nodes that vanish while no operator runs are not forgotten: the lease remembers them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import run_agents, told
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import SILENCE, Operator
from tests.unit.controller.test_process import PATIENCE_SECONDS, Leases, candidate
from xdpredirect.cluster.resource import NODE_OBJECTS, NODES, REDIRECTS
from xdpredirect.controller.lease import MEMORY
from xdpredirect.controller.memory import LIMIT, pack, unpack


class Lease:
    """Outlives the operators."""

    def __init__(self) -> None:
        self.memory = ""


def successor(cluster: ModelCluster, lease: Lease) -> Operator:
    return Operator(cluster, page=lease)


def with_edge(cluster: ModelCluster, lease: Lease) -> Operator:
    """`edge` runs on `a`, and its operator writes down what it knows."""
    first = successor(cluster, lease)
    cluster.write_redirect("edge", spec(zone="1"))
    first.settle()
    run_agents(cluster)
    first.settle()
    return first


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_node_that_went_while_nobody_looked_is_emptied_when_it_is_back(
    cluster: ModelCluster, when: str
) -> None:
    lease = Lease()
    with_edge(cluster, lease)
    cluster.delete(NODES, "a")
    if when == "before":
        cluster.write_node("a", {})
    second = successor(cluster, lease)
    second.settle()
    if when == "after":
        assert "a" not in cluster.store[NODE_OBJECTS.plural]
        second = successor(cluster, lease)
        second.settle()
        cluster.write_node("a", {})
        second.settle()
    assert told(cluster, "a") == []
    run_agents(cluster)
    assert second.settle() == []
    assert unpack(lease.memory) == ()


def test_a_deletion_waits_for_such_a_node(cluster: ModelCluster) -> None:
    lease = Lease()
    with_edge(cluster, lease)
    cluster.delete(REDIRECTS, "edge")
    del cluster.store[NODE_OBJECTS.plural]["a"]
    second = successor(cluster, lease)
    second.settle()
    assert "edge" in cluster.store[REDIRECTS.plural]
    run_agents(cluster)
    second.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


@pytest.mark.parametrize("operators", [1, 2])
def test_it_waits_also_when_the_node_is_back_without_its_labels(
    cluster: ModelCluster, operators: int
) -> None:
    """However many operators came and went since: its agent has not answered to any of them."""
    lease = Lease()
    with_edge(cluster, lease)
    cluster.delete(REDIRECTS, "edge")
    cluster.delete(NODES, "a")
    cluster.write_node("a", {})
    for _ in range(operators):
        second = successor(cluster, lease)
        second.settle()
    assert told(cluster, "a") == []
    assert "edge" in cluster.store[REDIRECTS.plural]
    run_agents(cluster)
    second.settle()
    assert "edge" not in cluster.store[REDIRECTS.plural]


def test_a_restart_where_nothing_changed_writes_nothing(cluster: ModelCluster) -> None:
    lease = Lease()
    with_edge(cluster, lease)
    assert unpack(lease.memory) == ("a",)
    before = cluster.writes
    assert successor(cluster, lease).settle() == []
    assert cluster.writes == before


def test_a_node_that_has_let_go_is_not_remembered(cluster: ModelCluster) -> None:
    lease = Lease()
    first = with_edge(cluster, lease)
    cluster.write_node("a", {})
    first.settle()
    run_agents(cluster)
    first.settle()
    cluster.now += SILENCE
    assert unpack(lease.memory) == ()


@given(st.lists(st.from_regex(r"[a-z][a-z0-9.-]{0,62}", fullmatch=True)))
def test_names_come_back_as_they_were(names: list[str]) -> None:
    assert unpack(pack(names)) == tuple(names)


def test_ten_thousand_names_have_room_and_more_lose_the_oldest() -> None:
    chance = random.Random(7)
    numbers = ("-".join(str(octet) for octet in chance.randbytes(3)) for _ in range(60_000))
    names = [f"ip-10-{three}.eu-west-1.compute.internal" for three in numbers]
    assert unpack(pack(names[:10_000])) == tuple(names[:10_000])
    text = pack(names)
    assert len(text) <= LIMIT
    kept = unpack(text)
    assert kept == tuple(names[-len(kept) :])
    assert len(kept) >= 5000


@pytest.mark.parametrize("text", ["", "%%%", "AAAA", pack(["a"])[:-3], "\u00e9"])
def test_what_somebody_else_wrote_there_is_nothing(text: str) -> None:
    assert unpack(text) == ()


def test_the_next_leader_finds_it_in_the_lease() -> None:
    leases = Leases()
    first = candidate(leases, "first")
    first.start()
    assert first.won.wait(PATIENCE_SECONDS)
    assert first.memory == ""
    first.memory = pack(["a"])
    first.stop()
    second = candidate(leases, "second")
    second.start()
    assert second.won.wait(PATIENCE_SECONDS)
    assert unpack(second.memory) == ("a",)
    second.stop()
    assert leases.stored is not None
    assert leases.stored["metadata"]["annotations"] == {MEMORY: pack(["a"])}
