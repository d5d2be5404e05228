"""The hook that runs before `helm uninstall`: redirects go first, whoever is there to help."""

import json
from collections.abc import Iterator

import pytest

from tests.chart.helm import Helm
from tests.chart.release import Hook, Release
from tests.chart.rendered import NAMESPACE
from tests.cluster.cluster import Cluster
from tests.cluster.operator_scene import Scene
from tests.cluster.test_operator import ZONE
from tests.cluster.wire import GROUP

NODES = ("node-a", "node-b")
LEFT = [
    "daemonset.apps/xdp-redirect-agent",
    "lease.coordination.k8s.io/xdp-redirect-operator",
    "node/node-a",
    "node/node-b",
]


@pytest.fixture(scope="module")
def installed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """By helm 4; which helm it was makes no difference to what the hook finds."""
    directory = tmp_path_factory.mktemp("release")
    made = Release(cluster, Helm("helm", directory, cluster.kubeconfig), directory)
    made.install()
    yield made
    made.erase()


@pytest.fixture(scope="module")
def hook(installed: Release) -> Iterator[Hook]:
    with Hook(installed, "pre-delete") as made:
        yield made


@pytest.fixture
def release(installed: Release) -> Iterator[Release]:
    """With as many operators as it was installed with."""
    where = ("--namespace", NAMESPACE)
    installed.cluster.kubectl("scale", "deployment/xdp-redirect-operator", "--replicas=2", *where)
    yield installed
    installed.erase_objects()


@pytest.fixture
def scene(release: Release) -> Iterator[Scene]:
    """Two nodes that one object selects, with an operator and its DaemonSet."""
    made = Scene(release.cluster, "--agents", str(release.agents_file()))
    try:
        made.nodes.add(*NODES, **{ZONE: "1"})
        made.start()
        made.apply("edge", {ZONE: "1"})
        for name in NODES:
            made.until_told(name, "edge")
        made.nodes.reply()
        made.wait("edge")
        made.until(lambda: set(LEFT) <= set(release.left()), "everything is there")
        yield made
    finally:
        release.erase_objects()
        made._names.clear()
        made.close()


def remains(release: Release) -> list[str]:
    """What the hook has to remove and has not."""
    listed = (f"{GROUP}/{plural}" for plural in ("xdpredirects", "xdpredirectnodes"))
    items = [item for path in listed for item in release.wire.request("GET", path).body["items"]]
    found = set(LEFT) & set(release.left())
    return sorted(found | {f"{item['kind']}/{item['metadata']['name']}" for item in items})


def test_with_an_operator(release: Release, scene: Scene, hook: Hook) -> None:
    ended = hook.attend(scene)
    assert ended.code == 0, ended.said
    assert remains(release) == []
    assert "stands in" not in ended.said
    again = hook.run()
    assert again.returncode == 0, again.stderr
    assert remains(release) == []


def test_without_an_operator(release: Release, scene: Scene, hook: Hook) -> None:
    scene.replicas[0].process.stop()
    ended = hook.attend(scene)
    assert ended.code == 0, ended.said
    assert "stands in" in ended.said
    assert remains(release) == []


def test_with_a_node_that_never_answers(release: Release, scene: Scene, hook: Hook) -> None:
    scene.replicas[0].process.stop()
    ended = hook.attend(scene, "--silence-seconds", "3", silent=["node-b"])
    assert ended.code == 0, ended.said
    assert "never answered, and may redirect until they are started again: node-b" in ended.said
    assert remains(release) == []


def test_a_node_that_cannot_detach_stops_it_in_time(
    release: Release, scene: Scene, hook: Hook
) -> None:
    ended = hook.attend(scene, "--within", "8", silent=["node-b"])
    assert ended.code == 1
    assert "error: not done in time: edge: " in ended.said
    assert "node-b" in ended.said
    assert "nothing else was removed" in ended.said
    assert {"XdpRedirect/edge", *LEFT} - set(remains(release)) == {"node/node-a"}, "it has let go"
    assert release.replicas() == 2


def test_what_somebody_else_holds_is_named_and_the_next_run_goes_on(
    release: Release, scene: Scene, hook: Hook
) -> None:
    merge = ("patch", "xdpredirect", "edge", "--type=merge", "-p")
    ours = scene.get("edge")["metadata"]["finalizers"]
    held = {"metadata": {"finalizers": [*ours, "example.com/hold"]}}
    release.cluster.kubectl(*merge, json.dumps(held))
    ended = hook.attend(scene, "--within", "12")
    assert ended.code == 1
    assert "edge: its nodes have let go, and it is held by example.com/hold" in ended.said
    assert release.replicas() == 2
    release.cluster.kubectl(*merge, json.dumps({"metadata": {"finalizers": None}}))
    again = hook.attend(scene)
    assert again.code == 0, again.said
    assert remains(release) == []


def test_with_no_redirect_and_no_operator(release: Release, hook: Hook) -> None:
    scene = Scene(release.cluster)
    try:
        scene.start()
        scene.until(lambda: bool(scene.leader()), "it leads")
        scene.replicas[0].process.stop()
        ended = hook.attend(scene)
    finally:
        scene.close()
    assert ended.code == 0, ended.said
    assert remains(release) == []
