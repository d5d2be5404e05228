"""Slices on an API server that others write to as well: they come back, and go when they are to."""

import queue
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.unit.dra.test_slices import devices
from xdpredirect.cluster.api import Api, Listing, Query
from xdpredirect.cluster.resource import Document, Resource
from xdpredirect.dra.publisher import Publisher
from xdpredirect.errors import ApiError

SECONDS = 30
NODE_OBJECT = {
    "metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "uid": "n1"}]},
}


class Stream:
    """A watch that ends with None."""

    def __init__(self) -> None:
        self.events: queue.Queue[Document | None] = queue.Queue()

    def __iter__(self) -> Iterator[Document]:
        while (event := self.events.get()) is not None:
            yield event

    def shutdown(self) -> None:
        self.events.put(None)

    close = shutdown


class Server:
    """What the publisher needs of `cluster.api.Api`; `errors` are raised by the next writes."""

    def __init__(self) -> None:
        self.slices: dict[str, Any] = {}
        self.errors: list[ApiError] = []
        self.writes = 0
        self.query: Query | None = None
        self.stream = Stream()
        self.owner: dict[str, Any] | None = NODE_OBJECT

    def list_all(self, query: Query) -> Listing:
        self.query = query
        return Listing(tuple(self.slices.values()), "1")

    def watch(self, *_: object, **__: object) -> Stream:
        self.stream = Stream()
        return self.stream

    def get(self, resource: Resource, name: str) -> dict[str, Any] | None:
        assert (resource.kind, name) == ("XdpRedirectNode", "node-1")
        return self.owner

    def apply(self, resource: Resource, document: Document, *, manager: str) -> Document:
        assert (resource.kind, manager) == ("ResourceSlice", "xdpredirect-agent")
        self.writes += 1
        if self.errors:
            raise self.errors.pop()
        name = cast(dict[str, str], document["metadata"])["name"]
        self.slices[name] = document
        return document

    def delete(self, resource: Resource, name: str) -> bool:
        assert resource.kind == "ResourceSlice"
        return self.slices.pop(name, None) is not None

    def names(self) -> list[str]:
        return sorted(d["name"] for s in self.slices.values() for d in s["spec"]["devices"])


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def publisher(server: Server) -> Iterator[Publisher]:
    made = Publisher(cast(Api, server), "node-1")
    made.start()
    assert made.reflector.synced.wait(SECONDS)
    yield made
    made.stop()


def until(holds: Any) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_follows_the_slices_of_its_node_and_driver(publisher: Publisher, server: Server) -> None:
    assert server.query is not None
    assert server.query.field_selector == "spec.nodeName=node-1,spec.driver=xdpredirect.io"


def test_slices_come_and_go_with_the_devices(publisher: Publisher, server: Server) -> None:
    for count in (1, 129, 2, 0):
        publisher.want(devices(count))
        until(lambda count=count: len(server.names()) == count)
    assert server.slices == {}


def test_they_belong_to_the_node(publisher: Publisher, server: Server) -> None:
    publisher.want(devices(1))
    until(lambda: server.slices)
    (made,) = server.slices.values()
    assert [o["uid"] for o in made["metadata"]["ownerReferences"]] == ["n1"]


@pytest.mark.parametrize("owner", [None, {"metadata": {}}])
def test_a_node_object_without_an_owner_gives_none(
    publisher: Publisher, server: Server, owner: dict[str, Any] | None
) -> None:
    server.owner = owner
    publisher.want(devices(1))
    until(lambda: server.slices)
    (made,) = server.slices.values()
    assert "ownerReferences" not in made["metadata"]


def test_what_kubelet_deletes_comes_back(publisher: Publisher, server: Server) -> None:
    publisher.want(devices(1))
    until(lambda: server.slices)
    gone = server.slices.copy()
    server.slices.clear()
    for item in gone.values():
        server.stream.events.put({"type": "DELETED", "object": item})
    until(lambda: server.names() == ["eth0-0"])


def test_what_fails_is_tried_again(publisher: Publisher, server: Server) -> None:
    server.errors = [ApiError(503, "ServiceUnavailable", "later"), ApiError(0, "Unreachable", "x")]
    publisher.want(devices(1))
    until(lambda: server.slices)
    assert server.writes == 3


def test_the_next_agent_goes_on_from_what_is_there(server: Server) -> None:
    earlier = Publisher(cast(Api, server), "node-1")
    earlier.start()
    earlier.want(devices(1))
    until(lambda: server.slices)
    earlier.stop()
    writes = server.writes
    later = Publisher(cast(Api, server), "node-1")
    later.start()
    assert later.reflector.synced.wait(SECONDS)
    assert server.names() == ["eth0-0"]
    later.want(devices(1))
    later.want(devices(2))
    until(lambda: len(server.names()) == 2)
    later.stop()
    assert server.writes == writes + 1
