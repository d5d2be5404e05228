"""Connections of the operator that break: cut, refused. Silent ones: test_failures_silence.py."""

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.operator_scene import Scene
from tests.cluster.proxy import Proxy
from tests.cluster.test_operator import ZONE


@pytest.fixture
def scene(installed: Cluster) -> Iterator[Scene]:
    made = Scene(installed)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def proxy(installed: Cluster, scene: Scene) -> Iterator[Proxy]:
    with Proxy(installed) as made:
        yield made
        for replica in scene.replicas:
            replica.process.stop()


def told(scene: Scene, generation: int) -> bool:
    return all(scene.nodes.told(node) == [("edge", generation)] for node in scene.nodes.names)


def test_cut_again_and_again_it_misses_nothing(scene: Scene, proxy: Proxy) -> None:
    operator = scene.start(proxy)
    scene.nodes.add("op-a", "op-b", **{ZONE: "1"})
    scene.apply("edge", {ZONE: "1"})
    scene.until(lambda: told(scene, 1), "the first generation is told")
    for generation in range(2, 6):
        assert proxy.cut() >= 1
        scene.apply("edge", {ZONE: "1"}, priority=generation)
        scene.until(lambda: told(scene, generation), f"generation {generation} is told")  # noqa: B023
    proxy.cut()
    scene.nodes.reply()
    scene.wait("edge")
    assert operator.process.pid is not None, "a cut is no reason to end"


def test_what_happens_while_it_is_refused_is_found(scene: Scene, proxy: Proxy) -> None:
    scene.start(proxy)
    scene.nodes.add("op-a", "op-b", **{ZONE: "1"})
    for name in ("edge", "gone"):
        scene.apply(name, {ZONE: "1"})
    for node in ("op-a", "op-b"):
        scene.until_told(node, "edge", "gone")
    scene.nodes.reply()
    proxy.refuse(True)
    proxy.cut()
    scene.apply("edge", {ZONE: "1"}, priority=7)
    scene.delete("gone")
    scene.apply("new", {ZONE: "1"})
    scene.nodes.add("op-b", **{ZONE: "2"})
    assert [name for name, _ in scene.nodes.told("op-a")] == ["edge", "gone"]
    proxy.refuse(False)

    def found() -> bool:
        scene.revive(proxy)
        return [name for name, _ in scene.nodes.told("op-a")] == ["edge", "new"]

    scene.until(found, "what happened meanwhile is told")
    scene.until_told("op-b")
    scene.nodes.reply()
    scene.until(lambda: not scene.exists("gone"), "what was deleted meanwhile is gone")
