"""Pods are watched in the namespaces that somebody names, and nowhere else."""

from dataclasses import dataclass
from typing import Any

from tests.unit.controller.documents import sockets, spec
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import SILENCE
from xdpredirect.cluster.api import Query
from xdpredirect.cluster.reflector import Sink
from xdpredirect.cluster.resource import REDIRECTS
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.observe import Inbox
from xdpredirect.controller.pod_watch import PodWatch
from xdpredirect.controller.read_pod import RUNNING


@dataclass
class Watched:
    """Stands in for a reflector."""

    query: Query
    sink: Sink
    running: bool = False

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False


class Scene:
    def __init__(self) -> None:
        self.cluster, self.fleet, self.inbox = ModelCluster(), Fleet(SILENCE), Inbox()
        self.made: list[Watched] = []
        self.watch = PodWatch(self._make, self.inbox)

    def _make(self, query: Query, sink: Sink) -> Watched:
        self.made.append(Watched(query, sink))
        return self.made[-1]

    def write(self, name: str, given: dict[str, Any]) -> None:
        self.cluster.write_redirect(name, given)
        self.fleet.put_redirect(self.cluster.store[REDIRECTS.plural][name])
        self.watch.follow(self.fleet)

    def drop(self, name: str) -> None:
        self.fleet.drop_redirect(name)
        self.watch.follow(self.fleet)

    def running(self) -> list[str]:
        return [w.query.resource.namespace for w in self.made if w.running]

    def hear(self) -> None:
        self.inbox.take(self.fleet, 0.0, 0.0)


def pod(name: str, uid: str = "u-1", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "ids", "uid": uid, "labels": {"app": "ids"}}
    return {"metadata": metadata, "spec": {"nodeName": "a", **more}}


def test_nothing_is_watched_where_nobody_names_pods() -> None:
    scene = Scene()
    scene.write("edge", spec())
    assert scene.made == []


def test_one_watch_for_each_namespace_for_as_long_as_one_is_named() -> None:
    scene = Scene()
    scene.write("x", sockets("ids"))
    scene.write("y", sockets("ids", app="web"))
    scene.write("z", sockets("cap"))
    assert scene.running() == ["ids", "cap"]
    query = scene.made[0].query
    assert query.resource.path() == "/api/v1/namespaces/ids/pods"
    assert query.field_selector == RUNNING
    scene.drop("x")
    assert scene.running() == ["ids", "cap"]
    scene.drop("y")
    assert scene.running() == ["cap"]
    scene.watch.stop()
    assert scene.running() == []


def test_an_object_that_is_being_deleted_names_nobody() -> None:
    scene = Scene()
    scene.write("x", sockets("ids"))
    stored = scene.cluster.store[REDIRECTS.plural]["x"]
    stored["metadata"] |= {"deletionTimestamp": "now", "resourceVersion": "99"}
    scene.fleet.put_redirect(stored)
    scene.watch.follow(scene.fleet)
    assert scene.running() == []


def test_what_the_watch_says_reaches_the_book_until_it_is_stopped() -> None:
    scene = Scene()
    scene.write("x", sockets("ids"))
    (watched,) = scene.made
    watched.sink.replaced([pod("p"), pod("h", "u-2", hostNetwork=True)])
    scene.hear()
    found = {p.name: (p.uid, p.host_network) for p in scene.fleet.pods.on("ids", "a")}
    assert found == {"p": ("u-1", False), "h": ("u-2", True)}
    watched.sink.deleted("h")
    scene.hear()
    watched.sink.changed(pod("p", "u-3"))
    scene.hear()
    assert [p.uid for p in scene.fleet.pods.on("ids", "a")] == ["u-3"]
    scene.drop("x")
    watched.sink.replaced([pod("late")])
    scene.hear()
    assert scene.fleet.pods.known == set()
    assert not [*scene.fleet.pods.on("ids", "a")]


def test_of_a_pod_only_what_decides_is_kept() -> None:
    scene = Scene()
    scene.write("x", sockets("ids"))
    full = pod("p", containers=[{"image": "x" * 9}], volumes=[{}])
    full["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "forged"}
    assert scene.made[0].query.kept({**full, "status": {"phase": "Running"}}) == pod("p")
