"""Whatever happens, in whatever order, and wherever the operator dies: the next one converges."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.controller.documents import sockets, spec
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import SILENCE, Operator
from xdpredirect.cluster.resource import NODE_OBJECTS, NODES, PODS, REDIRECTS
from xdpredirect.controller.observed import FINALIZER

NODE_NAMES = ("a", "b", "c")
NAMES = ("x", "y", "z")
ZONES = ("1", "2")
POD_NAMES, SPACES, APPS = ("p", "q", "r"), ("ids", "cap"), ("ids", "web")
nodes, names, zones = (st.sampled_from(values) for values in (NODE_NAMES, NAMES, ZONES))
pods, spaces, apps = (st.sampled_from(values) for values in (POD_NAMES, SPACES, APPS))

happenings = st.one_of(
    st.tuples(st.just("write"), names, zones, st.integers(0, 2)),
    st.tuples(st.just("write everywhere"), names, st.integers(0, 2)),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("node"), nodes, zones),
    st.tuples(st.just("node gone"), nodes),
    st.tuples(st.just("agent"), nodes, st.sampled_from(["Active", "Failed", "Conflicted"])),
    st.tuples(st.just("time"), st.floats(1, SILENCE)),
    st.tuples(st.just("operator"), st.integers(0, 6), st.booleans()),
    st.tuples(st.just("write sockets"), names, spaces, apps),
    st.tuples(st.just("pod"), pods, nodes, spaces, apps, st.booleans()),
    st.tuples(st.just("pod gone"), pods, spaces),
)


def happen(cluster: ModelCluster, what: tuple[object, ...]) -> None:
    match what:
        case ("write", str(name), str(zone), int(priority)):
            cluster.write_redirect(name, spec(priority, zone=zone))
        case ("write everywhere", str(name), int(priority)):
            cluster.write_redirect(name, spec(priority))
        case ("delete", str(name)):
            cluster.delete(REDIRECTS, name)
        case ("node", str(name), str(zone)):
            cluster.write_node(name, {"zone": zone})
        case ("node gone", str(name)):
            cluster.delete(NODES, name)
        case ("agent", str(name), str(state)):
            cluster.run_agent(name, dict.fromkeys(NAMES, state))
        case ("write sockets", str(name), str(space), str(app)):
            cluster.write_redirect(name, sockets(space, app=app))
        case ("pod", str(name), str(node), str(space), str(app), bool(host)):
            cluster.write_pod(name, node, space, host, app=app)
        case ("pod gone", str(name), str(space)):
            cluster.store[PODS.plural].pop(f"{space}/{name}", None)
        case ("time", float(seconds)):
            cluster.now += seconds


def selected_pods(
    cluster: ModelCluster, given: dict[str, Any], node: str
) -> list[dict[str, str]] | None:
    """What a node object has to say of the pods of its only client; None where that is none."""
    (rule,) = given["rules"]
    if "sockets" not in rule["action"]:
        return None
    (client,) = rule["action"]["sockets"]["clients"]
    wanted = client["pods"]
    return [
        {"rule": "all", **{field: pod["metadata"][field] for field in ("namespace", "name", "uid")}}
        | ({"refused": "HostNetwork"} if pod["spec"]["hostNetwork"] else {})
        for _, pod in sorted(cluster.store[PODS.plural].items())
        if pod["spec"]["nodeName"] == node
        and pod["metadata"]["namespace"] == wanted["namespace"]
        and pod["metadata"]["labels"] == wanted["podSelector"]["matchLabels"]
    ]


def check(cluster: ModelCluster) -> None:
    """Every node is told just what selects it, and every status says what its nodes say."""
    redirects = cluster.store[REDIRECTS.plural]
    for name, node in cluster.store[NODES.plural].items():
        wanted = [
            (r["metadata"]["name"], r["metadata"]["uid"], r["metadata"]["generation"])
            for r in sorted(
                redirects.values(), key=lambda r: (r["spec"]["priority"], r["metadata"]["name"])
            )
            if "deletionTimestamp" not in r["metadata"]
            and r["spec"]["nodeSelector"].get("matchLabels", {}).items()
            <= node["metadata"]["labels"].items()
        ]
        there = cluster.store[NODE_OBJECTS.plural].get(name)
        told = there["spec"]["redirects"] if there else []
        assert [(e["name"], e["uid"], e["generation"]) for e in told] == wanted
        for entry in told:
            assert entry.get("pods") == selected_pods(cluster, entry["spec"], name)
    for stored in redirects.values():
        assert FINALIZER in stored["metadata"]["finalizers"]
        assert stored["status"]["observedGeneration"] == stored["metadata"]["generation"]
        ready = stored["status"]["conditions"][0]
        counts = stored["status"]["nodes"]
        if ready["status"] == "True" and ready["reason"] != "NothingSelected":
            assert counts["updated"] >= counts["selected"] - counts["unreachable"] > 0


@settings(max_examples=150)
@given(st.lists(happenings, max_size=25))
def test_it_converges_wherever_it_dies(story: list[tuple[object, ...]]) -> None:
    cluster = ModelCluster()
    operator = Operator(cluster)
    for what in story:
        match what:
            case ("operator", int(steps), bool(dies)):
                operator.look()
                operator.act(operator.plan()[:steps])
                if dies:
                    operator = Operator(cluster)
                else:
                    operator.fleet.mark(operator.fleet.everything())
            case _:
                happen(cluster, what)
    operator.settle()
    check(cluster)
    for name in cluster.store[NODE_OBJECTS.plural]:
        cluster.run_agent(name)
    operator.settle()
    check(cluster)
    assert not [
        r for r in cluster.store[REDIRECTS.plural].values() if "deletionTimestamp" in r["metadata"]
    ]
    # A restart writes nothing where nothing changed.
    before = cluster.writes
    assert Operator(cluster).settle() == []
    assert cluster.writes == before


@settings(max_examples=60)
@given(st.lists(happenings, max_size=25), st.lists(st.booleans(), min_size=1, max_size=6))
def test_two_that_believe_to_lead_do_no_harm(
    story: list[tuple[object, ...]], turns: list[bool]
) -> None:
    cluster = ModelCluster()
    both = Operator(cluster), Operator(cluster)
    for what in story:
        happen(cluster, what)
        if what[0] == "operator":
            for turn in turns:
                # Each plans with what it saw last, which the other has changed since.
                operator = both[turn]
                operator.act(operator.plan())
                both[not turn].fleet.mark(both[not turn].fleet.everything())
            both[turns[0]].look()
    both[0].fleet.mark(both[0].fleet.everything())
    both[0].settle()
    check(cluster)
