"""Nodes that vanished while no operator ran, and what is left of them: the next one counts those
that are there, lets no deletion wait for the others, and tells anew those that came back."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.operator_scene import Scene
from tests.cluster.replies import versions
from tests.cluster.test_operator import ZONE
from tests.cluster.wire import GROUP, MERGE

LOST = "example.com/lost"
STAY = "example.com/stay"
HERE, COLLECTED, HELD, ORPHANED, DRAINED = "op-a", "op-b", "op-c", "op-d", "op-e"


@pytest.fixture
def scene(installed: Cluster) -> Iterator[Scene]:
    made = Scene(installed)
    try:
        made.start()
        yield made
    finally:
        release(made)
        made.close()


def object_path(node: str) -> str:
    return f"{GROUP}/xdpredirectnodes/{node}"


def hold(scene: Scene, path: str, *finalizers: str) -> None:
    change = {"metadata": {"finalizers": list(finalizers)}}
    answer = scene.wire.request("PATCH", path, change, MERGE)
    assert answer.status == 200, answer


def release(scene: Scene) -> None:
    """Whatever a test has held may go."""
    for path in (object_path(HELD), f"/api/v1/nodes/{DRAINED}"):
        if scene.wire.request("GET", path).body.get("metadata", {}).get("finalizers") == [STAY]:
            hold(scene, path)


def delete_node(scene: Scene, node: str, *flags: str) -> None:
    scene.cluster.kubectl("delete", "node", node, *flags)


def collected(scene: Scene) -> None:
    """The usual way: the garbage collector removes the node object."""
    delete_node(scene, COLLECTED)
    scene.until(lambda: not scene.nodes.spec(COLLECTED), "its object goes with the Node")


def held(scene: Scene) -> None:
    """Somebody's finalizer keeps the node object, which is being deleted."""
    hold(scene, object_path(HELD), STAY)
    delete_node(scene, HELD)
    scene.until(lambda: "deletionTimestamp" in metadata(scene, HELD), "its object is to go")


def orphaned(scene: Scene) -> None:
    """The node object is nobody's any more."""
    delete_node(scene, ORPHANED, "--cascade=orphan")
    assert "ownerReferences" not in metadata(scene, ORPHANED)


def drained(scene: Scene) -> None:
    """Somebody's finalizer keeps the Node, on which everything goes on meanwhile."""
    hold(scene, f"/api/v1/nodes/{DRAINED}", STAY)
    delete_node(scene, DRAINED, "--wait=false")


VANISHED: dict[str, Callable[[Scene], None]] = {
    COLLECTED: collected,
    HELD: held,
    ORPHANED: orphaned,
}


def metadata(scene: Scene, node: str) -> dict[str, Any]:
    """Of the node object; empty while there is none."""
    return dict(scene.wire.request("GET", object_path(node)).body["metadata"])


def running(scene: Scene, *nodes: str, **objects: dict[str, str]) -> None:
    """Every node runs what selects it, then the operator ends in order."""
    scene.nodes.add(HERE, **{ZONE: "1"})
    scene.nodes.add(*nodes, **{ZONE: "1", LOST: "1"})
    for name, selector in objects.items():
        scene.apply(name, selector)
    scene.until_told(HERE, *sorted(n for n, selector in objects.items() if ZONE in selector))
    for node in nodes:
        scene.until_told(node, *sorted(objects))
    scene.nodes.reply()
    for name in objects:
        scene.wait(name)
    assert scene.replicas[0].process.stop() == 0


def counts(scene: Scene, name: str) -> tuple[int, ...]:
    """Nodes selected, updated, ready, failed, unreachable; of the object as it is now."""
    found = scene.get(name)["status"]["nodes"]
    names = ("selected", "updated", "ready", "failed", "unreachable")
    return tuple(found[each] for each in names)


def test_nodes_that_vanished_count_for_nobody_and_hold_nothing_up(scene: Scene) -> None:
    on_all, on_lost = {ZONE: "1"}, {LOST: "1"}
    objects = {"kept": on_all, "left": on_lost, "gone": on_all, "lone": on_lost}
    running(scene, *VANISHED, DRAINED, **objects)
    assert counts(scene, "kept") == (5, 5, 5, 0, 0)
    for name in ("gone", "lone"):
        scene.delete(name)
    for vanish in (*VANISHED.values(), drained):
        vanish(scene)
    remains = {f"xdpredirectnodes/{node}" for node in (HELD, ORPHANED)}
    before = {name: version for name, version in versions(scene.wire).items() if name in remains}

    scene.start()
    scene.until_told(HERE, "kept")
    scene.until_told(DRAINED)
    assert (scene.exists("gone"), scene.exists("lone")) == (True, True), "op-e is still there"
    scene.nodes.reply(DRAINED)
    scene.until(lambda: not scene.exists("lone"), "nobody runs lone")
    assert scene.exists("gone"), "op-a has not answered"
    scene.nodes.reply(HERE)
    scene.until(lambda: not scene.exists("gone"), "nobody runs gone")

    scene.until(lambda: counts(scene, "kept") == (1, 1, 1, 0, 0), "one node is left")
    scene.until(lambda: counts(scene, "left") == (0, 0, 0, 0, 0), "none is left")
    scene.until_condition("kept", "Ready", "True", "Redirecting")
    scene.until_condition("kept", "Degraded", "False", "NothingAtRisk")
    scene.until_condition("left", "Ready", "True", "NothingSelected")
    assert scene.get("kept")["status"]["traffic"]["redirectedPackets"] == 100
    after = versions(scene.wire)
    assert {name: after.get(name) for name in remains} == before, "what is left is not ours"


def test_nodes_that_came_back_before_the_operator_are_told_anew(scene: Scene) -> None:
    running(scene, *VANISHED, kept={ZONE: "1"}, gone={ZONE: "1"})
    scene.delete("gone")
    for vanish in VANISHED.values():
        vanish(scene)
    # The one without the label that selects it: its kernel redirects as before.
    scene.nodes.add(COLLECTED)
    scene.nodes.add(HELD, ORPHANED, **{ZONE: "1"})

    scene.start()
    scene.until(lambda: COLLECTED in scene.wire.names("xdpredirectnodes"), "op-b is told to let go")
    assert scene.nodes.told(COLLECTED) == []
    for node in (HERE, HELD, ORPHANED):
        scene.until_told(node, "kept")
    for node in (HELD, ORPHANED):
        (owner,) = metadata(scene, node)["ownerReferences"]
        there = scene.wire.request("GET", f"/api/v1/nodes/{node}").body
        assert owner["uid"] == there["metadata"]["uid"]
    scene.nodes.reply(HERE, HELD, ORPHANED)
    scene.until(lambda: counts(scene, "kept") == (3, 3, 3, 0, 0), "three nodes have answered")
    scene.until(lambda: waits_for(scene, "gone") == "1 node still to detach: op-b", "op-b holds it")
    scene.nodes.reply(COLLECTED)
    scene.until(lambda: not scene.exists("gone"), "nobody runs gone")

    # The object that was to go all the time goes now, and the node gets another one.
    before = metadata(scene, HELD)["uid"]
    release(scene)
    scene.until(lambda: metadata(scene, HELD).get("uid", before) != before, "another is made")
    scene.until_told(HELD, "kept")
    scene.until(lambda: counts(scene, "kept") == (3, 2, 2, 0, 0), "its agent has not read it yet")
    scene.nodes.reply(HELD)
    scene.until(lambda: counts(scene, "kept") == (3, 3, 3, 0, 0), "all have answered")
    scene.until_condition("kept", "Ready", "True", "Redirecting")


def waits_for(scene: Scene, name: str) -> str:
    """The words of Ready."""
    return str(scene.get(name)["status"]["conditions"][0]["message"])
