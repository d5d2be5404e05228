"""From what an API server says to files, and from passes to what it is told; on real sockets."""

import errno
import json
import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.agent.test_node_orders import node
from tests.unit.cli.samples import thing
from tests.unit.cluster.fake_server import FakeServer, Handler, event, serving
from xdpredirect.agent.inbox import NodeInbox
from xdpredirect.agent.node_source import NodeSource, cluster_source
from xdpredirect.agent.outcome import Outcome
from xdpredirect.agent.report import Report
from xdpredirect.agent.store import Store
from xdpredirect.settings import Settings

LIMIT = 30
SET = {
    "apiVersion": "xdpredirect.io/v1alpha1",
    "kind": "XdpAddressSet",
    "metadata": {"name": "s", "uid": "us", "generation": 4, "resourceVersion": "5"},
    "spec": {"cidrs": ["192.0.2.0/24"]},
}


def versioned(document: dict[str, Any], version: int, **metadata: Any) -> dict[str, Any]:
    known = {**document["metadata"], "resourceVersion": str(version), **metadata}
    return {**document, "metadata": known}


class Cluster:
    """Answers lists, watches and status writes; `events` are sent to watches of node objects."""

    def __init__(self, *nodes: dict[str, Any], sets: tuple[dict[str, Any], ...] = ()) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {
            "xdpredirectnodes": list(nodes),
            "xdpaddresssets": list(sets),
        }
        self.events: list[bytes] = []
        self.server: FakeServer

    def __call__(self, handler: Handler) -> None:
        asked = handler.server.requests[-1]
        kind, *name = asked.path.split("/")[4:]
        if asked.method == "PATCH":
            assert isinstance(asked.body, dict)
            handler.say(200, versioned(asked.body, 99))
        elif asked.query.get("watch"):
            handler.begin_stream()
            for data in self.events if kind == "xdpredirectnodes" else ():
                handler.chunk(data)
            handler.server.ended.wait()
            handler.close_connection = True
        elif name:
            (found,) = (item for item in self.lists[kind] if item["metadata"]["name"] == name[0])
            handler.say(200, found)
        else:
            metadata = {"resourceVersion": "10"}
            handler.say(200, {"metadata": metadata, "items": self.lists[kind]})


@contextmanager
def source(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[NodeSource, FakeServer]]:
    with serving(cluster) as server, cluster_source(settings_for(server, tmp_path)) as made:
        yield made, server
        server.ended.set()


def settings_for(server: FakeServer, tmp_path: Path) -> Settings:
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": server.access.server}}],
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    return Settings(state_dir=tmp_path, node="a", kubeconfig=kubeconfig)


def news(made: NodeSource) -> None:
    """Waits for the descriptor, as the agent's loop does."""
    assert select.select([made.fileno()], [], [], LIMIT)[0]
    assert made.drain()


def patiently() -> Iterator[None]:
    """Turns of a loop that waits for something, with an end."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        yield
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def kept(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "node").glob("*")}


def test_a_node_object_becomes_files(tmp_path: Path) -> None:
    with source(Cluster(node(), sets=(SET,)), tmp_path) as (made, server):
        news(made)
        assert made.take()
        assert "xdpredirect.edge.json" in kept(tmp_path)
        news(made)
        assert made.take()
        assert kept(tmp_path) == {"xdpredirect.edge.json", "xdpaddressset.s.json"}
    selectors = {asked.query.get("fieldSelector") for asked in server.requests}
    assert selectors == {"metadata.name=a", "metadata.name=s"}
    document = json.loads((tmp_path / "node/xdpaddressset.s.json").read_text())
    assert document["metadata"] == {"name": "s", "uid": "us", "generation": 4}


def test_of_several_sets_only_those_needed_are_read(tmp_path: Path) -> None:
    sets = tuple(versioned(SET, 5, name=name) for name in ("s", "t", "foreign"))
    cluster = Cluster(node(addressSets=["s", "t"]), sets=sets)
    with source(cluster, tmp_path) as (made, server):
        for _ in patiently():
            made.drain()
            made.take()
            if {"xdpaddressset.s.json", "xdpaddressset.t.json"} <= kept(tmp_path):
                break
        assert "xdpaddressset.foreign.json" not in kept(tmp_path)
    asked = [one for one in server.requests if "xdpaddresssets" in one.path]
    read = {one.path.rpartition("/")[2] for one in asked if not one.path.endswith("sets")}
    assert read == {"s", "t"}
    others = [one for one in asked if one.path.endswith("sets")]
    assert others
    assert all("as=PartialObjectMetadata" in one.headers["accept"] for one in others)


def test_pods_that_may_take_sockets_are_kept_and_forgotten(tmp_path: Path) -> None:
    with_pods, without = node(addressSets=[]), node(addressSets=[], revision=4)
    (redirect,) = with_pods["spec"]["redirects"]
    redirect["pods"] = [{"rule": "r", "namespace": "ids", "name": "p", "uid": "u-1"}]
    store = Store(tmp_path, tmp_path / "node")
    for given, uids in ((with_pods, ["u-1"]), (without, [])):
        with source(Cluster(given), tmp_path) as (made, _):
            news(made)
            assert made.take()
        pods = store.read_all().pods
        assert pods is not None
        assert [pod.uid for told in pods.values() for pod in told.listed] == uids
    assert Store(tmp_path).read_all().pods is None


def test_without_an_object_nothing_may_be_done(tmp_path: Path) -> None:
    with source(Cluster(), tmp_path) as (made, _):
        made.report(Outcome(report=Report(objects=(), interfaces=()), actions=(), failures=()))
        assert not made.take()


def test_what_was_wanted_last_counts_without_a_server(tmp_path: Path) -> None:
    alone = node(addressSets=[])
    with source(Cluster(alone), tmp_path) as (made, server):
        news(made)
        assert made.take()
        settings = settings_for(server, tmp_path)
    (tmp_path / "node/xdpredirect.edge.json").unlink()
    with cluster_source(settings) as made:
        assert made.take()
        assert kept(tmp_path) == {"xdpredirect.edge.json"}


def test_what_could_not_be_kept_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with source(Cluster(node(), sets=(SET,)), tmp_path) as (made, _):
        news(made)
        with monkeypatch.context() as patch:
            patch.setattr("xdpredirect.agent.node_store.write_atomically", full)
            with pytest.raises(OSError, match="No space"):
                made.take()
        assert made.take()
        news(made)
        with monkeypatch.context() as patch:
            patch.setattr("xdpredirect.agent.node_store.write_atomically", full)
            with pytest.raises(OSError, match="No space"):
                made.take()
        assert made.take()
    assert kept(tmp_path) == {"xdpredirect.edge.json", "xdpaddressset.s.json"}


def test_a_refused_spec_leaves_the_files_and_is_reported(tmp_path: Path) -> None:
    cluster = Cluster(node(addressSets=[]))
    newer = versioned(node(requiredFeatures=["match/novel"], redirects=[]), 12, generation=8)
    cluster.events = [event("MODIFIED", newer)]
    with source(cluster, tmp_path) as (made, server):
        for _ in patiently():
            if server_was_told(server, "AgentTooOld"):
                break
            if select.select([made.fileno()], [], [], 0.05)[0]:
                made.drain()
            assert made.take()
            report = Report(objects=(thing(),), interfaces=())
            made.report(Outcome(report=report, actions=(), failures=()))
        assert kept(tmp_path) == {"xdpredirect.edge.json"}
    remembered = json.loads((tmp_path / "node.json").read_text())
    assert remembered["metadata"]["generation"] == 7


def server_was_told(server: FakeServer, reason: str) -> bool:
    return any(
        asked.method == "PATCH" and reason in json.dumps(asked.body) for asked in server.requests
    )


def test_a_status_of_our_own_is_no_news() -> None:
    news: list[int] = []
    seen: list[object] = []
    inbox = NodeInbox(lambda: news.append(1), seen.append)
    first, second = node(), versioned(node(), 12, generation=8)
    reported = {**versioned(first, 11), "status": {"observedRevision": 3}}
    inbox.replaced([first])
    inbox.changed(reported)
    inbox.changed(second)
    inbox.deleted("a")
    inbox.replaced([])
    inbox.replaced([second])
    assert seen == [first, reported, second, None, None, second]
    assert len(news) == 2
    assert inbox.take() is second
    assert inbox.take() is None


def test_a_pass_that_failed_is_reported(tmp_path: Path) -> None:
    with source(Cluster(node(addressSets=[])), tmp_path) as (made, server):
        news(made)
        assert made.take()
        made.failed("list links: EPERM")
        for _ in patiently():
            if server_was_told(server, "list links: EPERM"):
                break
