"""Pods that clients of type Pods select, in the node objects of a real API server."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.operator_scene import Scene
from tests.cluster.pod_objects import OTHER, SPACE, Pods
from tests.cluster.wire import GROUP, MERGE, Wire

A, B = "pods-a", "pods-b"
ZONE = "pods.example.com/zone"
ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/xdp-redirect-operator"


AS_OPERATOR = "--as=system:serviceaccount:xdp-redirect-system:xdp-redirect-operator"


def sockets(namespace: str = SPACE, **labels: str) -> list[dict[str, Any]]:
    pods = {"namespace": namespace, "podSelector": {"matchLabels": labels} if labels else {}}
    clients = [{"type": "Pods", "pods": pods}]
    action = {"type": "Sockets", "sockets": {"queues": "0", "clients": clients}}
    return [{"name": "ids", "match": {"all": True}, "action": action}]


@pytest.fixture
def pods(installed: Cluster) -> Iterator[Pods]:
    made = Pods(installed)
    yield made
    made.close()


@pytest.fixture
def scene(installed: Cluster, pods: Pods) -> Iterator[Scene]:
    made = Scene(installed)
    made.nodes.add(A, B, **{ZONE: "1"})
    try:
        made.start()
        yield made
    finally:
        made.close()


def listed(scene: Scene, node: str, name: str = "ids") -> list[tuple[str, str, str]] | None:
    """Name, UID and refusal of the pods that a node is told of; None where nobody tells it."""
    entries = {entry["name"]: entry for entry in scene.nodes.spec(node).get("redirects", [])}
    if "pods" not in entries.get(name, {}):
        return None
    return [(p["name"], p["uid"], p.get("refused", "")) for p in entries[name]["pods"]]


def until_listed(scene: Scene, node: str, *pods: tuple[str, str, str]) -> None:
    scene.until(lambda: listed(scene, node) == [*pods], f"{node} is told of {pods}")


def generation(scene: Scene, node: str) -> int:
    """How often the spec of its object was written."""
    found = scene.wire.request("GET", f"{GROUP}/xdpredirectnodes/{node}").body
    return int(found["metadata"]["generation"])


def test_pods_are_told_to_their_node_as_they_come_change_and_go(scene: Scene, pods: Pods) -> None:
    first = pods.add("one", A)
    pods.add("elsewhere", A, OTHER)
    host = pods.add("host", A, hostNetwork=True)
    scene.apply("ids", {ZONE: "1"}, rules=sockets(app="ids"))
    until_listed(scene, A, ("host", host, "HostNetwork"), ("one", first, ""))
    until_listed(scene, B)
    # Once more where the list of pods came later than the answer that the object is held.
    assert all(generation(scene, node) <= 2 for node in (A, B))
    assert {entry["uid"] for entry in scene.nodes.spec(A)["redirects"][0]["pods"]} == {first, host}
    scene.nodes.reply()
    scene.wait("ids")

    pods.remove("host")
    until_listed(scene, A, ("one", first, ""))
    second = pods.add("two", B)
    until_listed(scene, B, ("two", second, ""))
    pods.label("two", "app=web")
    until_listed(scene, B)
    pods.label("two", "app=ids")
    until_listed(scene, B, ("two", second, ""))
    pods.finish("two")
    until_listed(scene, B)
    pods.remove("one")
    again = pods.add("one", A)
    until_listed(scene, A, ("one", again, ""))
    assert again != first
    assert scene.condition("ids", "Ready") == ("True", "Redirecting")


def test_the_next_operator_takes_nothing_away(scene: Scene, pods: Pods) -> None:
    uid = pods.add("one", A)
    scene.apply("ids", {ZONE: "1"}, rules=sockets())
    until_listed(scene, A, ("one", uid, ""))
    (first,) = scene.replicas
    before = scene.nodes.spec(A)
    first.process.stop()
    gone = pods.add("two", A)
    pods.remove("two")
    assert gone
    scene.start()
    added = pods.add("three", A)
    until_listed(scene, A, ("one", uid, ""), ("three", added, ""))
    assert scene.nodes.spec(A)["revision"] != before["revision"]
    scene.apply("ids", {ZONE: "1"}, rules=sockets(OTHER))
    until_listed(scene, A)


def test_without_the_right_to_read_pods_only_pods_suffer(
    installed: Cluster, scene: Scene, pods: Pods
) -> None:
    uid = pods.add("one", A)
    role = Wire(installed).request("GET", ROLE).body
    rules = [rule for rule in role["rules"] if rule["resources"] != ["pods"]]
    assert len(rules) == len(role["rules"]) - 1
    allow(installed, rules)
    may_list = ["auth", "can-i", "list", "pods", "-n", SPACE, AS_OPERATOR]
    scene.until(lambda: installed.try_kubectl(may_list).returncode != 0, "that is in force")
    try:
        scene.apply("ids", {ZONE: "1"}, rules=sockets())
        scene.apply("plain", {ZONE: "1"})
        scene.until_told(A, "ids", "plain")
        scene.until(lambda: "cannot list" in scene.evidence(), "the log names what is missing")
        assert listed(scene, A) == []
    finally:
        allow(installed, role["rules"])
    until_listed(scene, A, ("one", uid, ""))


def allow(cluster: Cluster, rules: list[dict[str, Any]]) -> None:
    answer = Wire(cluster).request("PATCH", ROLE, {"rules": rules}, MERGE)
    assert answer.status == 200, answer


def test_the_operator_may_list_pods_and_nothing_else(installed: Cluster) -> None:
    for verb, allowed in (
        *(("list", True), ("watch", True), ("get", False), ("create", False)),
        *(("patch", False), ("update", False), ("delete", False)),
    ):
        done = installed.try_kubectl(["auth", "can-i", verb, "pods", "-n", SPACE, AS_OPERATOR])
        assert (done.returncode == 0) is allowed, (verb, done.stdout)


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ({"podSelector": {}}, "namespace"),
        ({"namespace": "ids"}, "podSelector"),
        ({"namespace": "*", "podSelector": {}}, "namespace"),
        (None, "type Pods and pods belong together"),
    ],
)
def test_a_client_that_names_no_pods_is_refused(
    installed: Cluster, pods: dict[str, Any] | None, words: str
) -> None:
    (rule,) = sockets()
    client: dict[str, Any] = {"type": "Pods"} | ({"pods": pods} if pods is not None else {})
    rule["action"]["sockets"]["clients"] = [client]
    document = {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirect",
        "metadata": {"name": "wrong"},
        "spec": {"nodeSelector": {}, "interfaces": [{"names": ["eth0"]}], "rules": [rule]},
    }
    answer = Wire(installed).create("xdpredirects", document)
    assert answer.status == 422
    assert words in answer.body["message"]
