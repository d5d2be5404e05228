"""The operator beside others on a real API server: a leader that is not one any more, managers with
conditions of their own, and more objects than a node has room for."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.objects import applied, for_a_node, node_spec, of_kind
from tests.cluster.operator_scene import Scene
from tests.cluster.replies import redirect, versions
from tests.cluster.test_operator import ZONE
from tests.cluster.test_survival import RENEWALS
from tests.cluster.wire import GROUP
from xdpredirect.api.node_size import SPEC_LIMIT, stored_size

OPERATOR, NODE_OBJECTS = "xdpredirect-operator", f"{GROUP}/xdpredirectnodes"
FOREIGN = {
    "type": "Approved",
    "status": "True",
    "reason": "ByHand",
    "message": "seen",
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}


@pytest.fixture
def scene(installed: Cluster) -> Iterator[Scene]:
    made = Scene(installed)
    try:
        made.start()
        yield made
    finally:
        made.close()


def test_who_does_not_know_the_object_cannot_take_it_back(scene: Scene) -> None:
    """A first apply of another spec, as it comes from who has lost the lease unknowingly."""
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.apply("edge", {ZONE: "1"}, priority=7)
    scene.until(lambda: scene.nodes.told("op-a") == [("edge", 2)], "the change is told")
    before, path = scene.nodes.spec("op-a"), f"{NODE_OBJECTS}/op-a"
    stale = of_kind("XdpRedirectNode", "op-a", spec=node_spec(for_a_node(), revision=1))
    answer = applied(scene.wire, path, stale, OPERATOR)
    assert answer.status == 422, answer
    assert answer.causes[0][0] == "spec.revision"
    assert "must not count down" in answer.message
    assert scene.nodes.spec("op-a") == before
    same = of_kind("XdpRedirectNode", "op-a", spec=before)
    assert applied(scene.wire, path, same, OPERATOR).status == 200
    scene.nodes.reply()
    scene.wait("edge")


def test_a_condition_of_somebody_else_stays_and_is_no_churn(scene: Scene) -> None:
    scene.nodes.add("op-a", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("op-a", "edge")
    scene.nodes.reply()
    scene.wait("edge")
    foreign = of_kind("XdpRedirect", "edge", status={"conditions": [FOREIGN]})
    path = f"{GROUP}/xdpredirects/edge/status"
    assert applied(scene.wire, path, foreign, "somebody").status == 200
    before, leases = versions(scene.wire), {scene.lease_version()}

    def renewed() -> bool:
        leases.add(scene.lease_version())
        return len(leases) > RENEWALS // 4

    scene.until(renewed, "the operator has had time to write")
    assert versions(scene.wire) == before
    scene.nodes.reply(state="Failed", reason="ApplyFailed")
    scene.until_condition("edge", "Ready", "False", "ApplyFailed")
    found = scene.get("edge")["status"]["conditions"]
    assert FOREIGN in found
    assert len(found) == 5


def large(name: str, priority: int) -> dict[str, Any]:
    """An object of 128 rules with 16 networks each, and not much less than the largest there is."""
    networks = [f"2001:db8:aaaa:bbbb:cccc:dddd:eeee:{0x1000 + i:x}/128" for i in range(16)]
    action = {"type": "Device", "device": {"name": "d" * 120}}
    match = {"sourceCIDRs": networks}
    rules = [{"name": f"{'r' * 50}-{i}", "match": match, "action": action} for i in range(128)]
    return redirect(name, {ZONE: "1"}, priority=priority, rules=rules)


def test_what_has_no_room_on_a_node_is_left_out_and_says_so(installed: Cluster) -> None:
    scene = Scene(installed)
    try:
        enough = SPEC_LIMIT // stored_size(large("large-00", 1)["spec"]) + 2
        names = [f"large-{number:02}" for number in range(enough)]
        scene.nodes.add("op-a", **{ZONE: "1"})
        for priority, name in enumerate(names):
            scene.create(large(name, priority))
        scene.start()
        _has_no_room(scene, names)
        # Each deletion would be one more write of a megabyte.
        scene.nodes.remove("op-a")
    finally:
        scene.close()


def _has_no_room(scene: Scene, names: list[str]) -> None:
    def told() -> list[str]:
        return [name for name, _ in scene.nodes.told("op-a")]

    scene.until_condition(names[-1], "Stalled", "True", "NodeObjectTooLarge")
    failing = scene.get(names[-1])["status"]["failingNodes"]
    assert [(node["name"], node["reason"]) for node in failing] == [("op-a", "NodeObjectTooLarge")]

    def everything_that_fits() -> bool:
        fits = told()
        return len(fits) >= len(names) - 3 and fits == names[: len(fits)]

    scene.until(everything_that_fits, "everything that fits is told")
    fits = told()
    assert stored_size(scene.nodes.spec("op-a")) > 0.8 * SPEC_LIMIT
    scene.nodes.reply()
    scene.wait(names[0])

    # One goes, the next in line has room.
    scene.delete(names[0])
    scene.until(lambda: told() == names[1 : len(fits) + 1], "another one takes its place")
    scene.nodes.reply()
    scene.wait(names[len(fits)])
