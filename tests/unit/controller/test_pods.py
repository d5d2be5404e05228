"""Which pods a node is told of: planned rows, and what happens while nobody knows."""

import json
from dataclasses import replace

import pytest

from tests.unit.controller.documents import sockets, spec
from tests.unit.controller.looks import condition, node_spec, run_agents
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import Operator
from xdpredirect.api.clients import PodClients
from xdpredirect.api.labels import LabelRequirement, LabelSelector
from xdpredirect.api.node_pods import MOST, NodePod, NodePods
from xdpredirect.api.node_size import stored_size
from xdpredirect.cluster.resource import NODE_OBJECTS, PODS
from xdpredirect.controller.observed import Entry, NodeObject, Pod, Redirect
from xdpredirect.controller.pods import ROOM, PodBook, pods_of

IDS = PodClients(namespace="ids", selector=LabelSelector(match_labels=(("app", "ids"),)))
ALL = PodClients(namespace="ids", selector=LabelSelector())
POD = Pod(namespace="ids", name="p", uid="u-1", node="a", labels={"app": "ids"})
TOLD = NodePod(rule="r", namespace="ids", name="p", uid="u-1")
ENTRY = Entry(name="edge", uid="1", generation=1, digest="")


def redirect(*pods: tuple[str, PodClients]) -> Redirect:
    return Redirect(name="edge", uid="1", generation=1, pods=pods)


def book(*pods: Pod, namespace: str = "ids") -> PodBook:
    made = PodBook()
    made.listed(namespace, pods)
    return made


def there(*pods: NodePod, generation: int = 1) -> NodeObject:
    """A node object that lists these."""
    entry = replace(ENTRY, generation=generation)
    return NodeObject(
        name="a", uid="n", generation=1, entries=(entry,), pods={"edge": NodePods(listed=pods)}
    )


@pytest.mark.parametrize(
    ("clients", "pod", "listed"),
    [
        (IDS, POD, (TOLD,)),
        (ALL, POD, (TOLD,)),
        (ALL, replace(POD, labels={}), (TOLD,)),
        (IDS, replace(POD, labels={}), ()),
        (IDS, replace(POD, labels={"app": "web"}), ()),
        (IDS, replace(POD, node="b"), ()),
        (IDS, replace(POD, namespace="other"), ()),
        (IDS, replace(POD, host_network=True), (replace(TOLD, refused="HostNetwork"),)),
        (
            replace(
                IDS,
                selector=LabelSelector(
                    match_expressions=(LabelRequirement(key="app", operator="Exists"),)
                ),
            ),
            POD,
            (TOLD,),
        ),
    ],
)
def test_pods_of_the_node_that_the_selector_means(
    clients: PodClients, pod: Pod, listed: tuple[NodePod, ...]
) -> None:
    known = book(namespace=clients.namespace)
    known.put(pod)
    assert pods_of([redirect(("r", clients))], "a", None, known) == {
        "edge": NodePods(listed=listed)
    }


def test_each_pod_once_a_rule_in_the_order_of_rules_and_names() -> None:
    pods = [replace(POD, name=name, uid=f"u-{name}") for name in ("z", "a")]
    found = pods_of([redirect(("r", ALL), ("r", IDS), ("q", IDS))], "a", None, book(*pods))
    assert [(p.rule, p.name) for p in found["edge"].listed] == [
        ("r", "a"),
        ("r", "z"),
        ("q", "a"),
        ("q", "z"),
    ]


def test_an_object_without_such_clients_says_nothing_of_pods() -> None:
    assert pods_of([redirect()], "a", None, book(POD)) == {}


def test_of_a_namespace_that_is_not_listed_what_is_there_stays() -> None:
    told, other = there(TOLD, replace(TOLD, rule="gone")), replace(TOLD, namespace="other")
    assert pods_of([redirect(("r", IDS))], "a", told, PodBook()) == {
        "edge": NodePods(listed=(TOLD,))
    }
    assert pods_of([redirect(("r", IDS))], "a", there(other), PodBook()) == {"edge": NodePods()}
    # It may have named other pods when it was another one.
    assert pods_of([redirect(("r", IDS))], "a", there(TOLD, generation=2), PodBook()) == {
        "edge": NodePods()
    }
    assert pods_of([redirect(("r", IDS))], "a", told, book()) == {"edge": NodePods()}


def test_more_pods_than_there_is_room_for() -> None:
    many = [replace(POD, name=f"p{i:03}", uid=f"u-{i}") for i in range(MOST + 3)]
    found = pods_of([redirect(("r", IDS))], "a", None, book(*many))["edge"]
    assert (len(found.listed), found.left_out) == (MOST, 3)
    # Whoever has it keeps it, though others come first.
    last = replace(TOLD, name=many[-1].name, uid=many[-1].uid)
    found = pods_of([redirect(("r", IDS))], "a", there(last), book(*many))["edge"]
    assert last in found.listed
    assert (len(found.listed), found.left_out) == (MOST, 3)


def test_the_room_is_in_octets_for_all_objects_of_a_node_together() -> None:
    name, rule = "n" * 253, "r" * 63
    many = [replace(POD, name=f"{i:03}{name[3:]}", uid=f"{i:036}") for i in range(200)]
    objects = [replace(redirect((rule, IDS)), name=name) for name in ("x", "y")]
    found = pods_of(objects, "a", None, book(*many))
    listed = [pod for pods in found.values() for pod in pods.listed]
    assert found["x"].left_out > 0
    assert found["y"].left_out == 200
    encoded = [
        {"rule": p.rule, "namespace": p.namespace, "name": p.name, "uid": p.uid} for p in listed
    ]
    assert ROOM * 0.9 < stored_size(encoded) <= ROOM, json.dumps(encoded[0])


def test_the_book_says_which_nodes_a_change_is_about() -> None:
    made = book(POD)
    assert made.take() == (frozenset({"a"}), frozenset({"ids"}))
    made.put(replace(POD))
    assert made.idle
    made.put(replace(POD, node="b", uid="u-2"))
    assert made.take() == (frozenset({"a", "b"}), frozenset())
    made.listed("ids", ())
    assert made.take() == (frozenset({"b"}), frozenset())
    made.drop("ids", "p")
    assert made.idle
    assert not [*made.on("ids", "b")]


def test_a_forgotten_namespace_is_unknown_again() -> None:
    made = book(POD)
    made.take()
    made.forget("ids")
    assert made.take() == (frozenset({"a"}), frozenset())
    assert "ids" not in made.known
    made.forget("ids")
    assert made.idle


def pods(cluster: ModelCluster, node: str) -> list[str]:
    (entry,) = node_spec(cluster, node)["redirects"]
    return [pod["uid"] for pod in entry["pods"]]


def test_pods_come_change_and_go(cluster: ModelCluster, operator: Operator) -> None:
    first = cluster.write_pod("p", "a", app="ids")
    cluster.write_redirect("edge", sockets(app="ids"))
    operator.settle()
    assert (pods(cluster, "a"), pods(cluster, "b")) == ([first], [])
    assert {node_spec(cluster, n)["revision"] for n in ("a", "b")} == {1}
    second = cluster.write_pod("q", "a", app="web")
    assert operator.settle() == []
    cluster.write_pod("q", "a", app="ids")
    operator.settle()
    assert pods(cluster, "a") == [first, second]
    cluster.write_pod("p", "b", app="ids")
    operator.settle()
    assert pods(cluster, "a") == [second]
    assert len(pods(cluster, "b")) == 1
    assert pods(cluster, "b") != [first]
    cluster.store[PODS.plural].clear()
    operator.settle()
    assert pods(cluster, "a") == pods(cluster, "b") == []


def test_a_pod_that_comes_does_not_make_an_object_unready(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", sockets(app="ids"))
    operator.settle()
    run_agents(cluster)
    operator.settle()
    assert condition(cluster, "Ready") == ("True", "Redirecting")
    cluster.write_pod("p", "a", app="ids")
    actions = operator.settle()
    assert [str(action) for action in actions] == ["node a: revision 2: edge@1"]
    assert condition(cluster, "Ready") == ("True", "Redirecting")


def test_an_operator_that_has_just_started_takes_no_socket_away(
    cluster: ModelCluster, operator: Operator
) -> None:
    uid = cluster.write_pod("p", "a", app="ids")
    cluster.write_redirect("edge", sockets(app="ids"))
    operator.settle()
    after = Operator(cluster)
    after.sees_pods = False
    assert after.settle() == []
    cluster.write_redirect("other", spec(priority=1))
    after.settle()
    entries = {e["name"]: e.get("pods") for e in node_spec(cluster, "a")["redirects"]}
    assert entries["other"] is None
    assert [pod["uid"] for pod in entries["edge"]] == [uid]
    cluster.store[PODS.plural].clear()
    after.sees_pods = True
    after.settle()
    entries = {e["name"]: e.get("pods") for e in node_spec(cluster, "a")["redirects"]}
    assert entries == {"other": None, "edge": []}


def test_clients_that_this_version_cannot_read_stop_the_object(
    cluster: ModelCluster, operator: Operator
) -> None:
    given = sockets()
    given["rules"][0]["action"]["sockets"]["clients"][0]["pods"]["later"] = 1
    cluster.write_redirect("edge", given)
    operator.settle()
    assert condition(cluster, "Ready") == ("False", "UnreadableSpec")
    assert cluster.store[NODE_OBJECTS.plural] == {}
