"""The product's client against the real API server: what its answers really look like."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.waiting import until
from tests.cluster.wire import Wire
from xdpredirect.cluster import api as client
from xdpredirect.cluster.api import Api, Query
from xdpredirect.cluster.reflector import Pace, Reflector
from xdpredirect.cluster.resource import ADDRESS_SETS, LEASES, NODE_OBJECTS, NODES, Document
from xdpredirect.errors import ApiError

LIMIT = 180
MANAGER = "test"


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    made = Api.connect(cluster.kubeconfig, "xdpredirect-test/1")
    yield made
    for resource in (ADDRESS_SETS, NODE_OBJECTS):
        for item in made.list(resource).items:
            made.delete(resource, client.name_of(item))
    made.close()


def address_set(name: str, *cidrs: str) -> Document:
    return {
        "apiVersion": ADDRESS_SETS.api_version,
        "kind": ADDRESS_SETS.kind,
        "metadata": {"name": name},
        "spec": {"cidrs": list(cidrs or ("192.0.2.0/24",))},
    }


def node_object(name: str, revision: int = 1) -> Document:
    empty: Document = {"requiredFeatures": [], "redirects": [], "addressSets": []}
    return {
        "apiVersion": NODE_OBJECTS.api_version,
        "kind": NODE_OBJECTS.kind,
        "metadata": {"name": name},
        "spec": {"revision": revision, **empty},
    }


def metadata(document: Document | None) -> dict[str, Any]:
    assert document is not None
    found = document["metadata"]
    assert isinstance(found, dict)
    return found


def test_every_verb(api: Api) -> None:
    assert api.get(ADDRESS_SETS, "a") is None
    assert not api.delete(ADDRESS_SETS, "a")
    made = api.create(ADDRESS_SETS, address_set("a"))
    uid = metadata(made)["uid"]
    with pytest.raises(ApiError) as exists:
        api.create(ADDRESS_SETS, address_set("a"))
    assert (exists.value.status, exists.value.reason) == (409, "AlreadyExists")

    changed = api.replace(ADDRESS_SETS, {**made, "spec": {"cidrs": ["10.0.0.0/8"]}})
    assert metadata(changed)["generation"] == 2
    with pytest.raises(ApiError) as outdated:
        api.replace(ADDRESS_SETS, {**made, "spec": {"cidrs": ["10.1.0.0/16"]}})
    assert (outdated.value.status, outdated.value.reason) == (409, "Conflict")

    patch: Document = {"metadata": {"labels": {"a": "b"}}}
    assert metadata(api.merge_patch(ADDRESS_SETS, "a", patch))["labels"] == {"a": "b"}
    with pytest.raises(ApiError) as other:
        api.delete(ADDRESS_SETS, "a", uid=uid[:-1] + ("0" if uid[-1] != "0" else "1"))
    assert other.value.status == 409
    assert api.delete(ADDRESS_SETS, "a", uid=uid)
    assert api.get(ADDRESS_SETS, "a") is None


def test_server_side_apply(api: Api) -> None:
    first = api.apply(NODE_OBJECTS, node_object("a"), manager=MANAGER)
    again = api.apply(NODE_OBJECTS, node_object("a"), manager=MANAGER)
    assert metadata(again)["resourceVersion"] == metadata(first)["resourceVersion"]
    with pytest.raises(ApiError) as unknown:
        api.apply(NODE_OBJECTS, {**node_object("a"), "novel": 1}, manager=MANAGER)
    assert "novel" in unknown.value.message
    assert not unknown.value.retry or unknown.value.status >= 500
    with pytest.raises(ApiError) as owned:
        api.apply(NODE_OBJECTS, node_object("a", 2), manager="another", force=False)
    assert (owned.value.status, owned.value.reason) == (409, "Conflict")
    taken = api.apply(NODE_OBJECTS, node_object("a", 2), manager="another")
    assert metadata(taken)["generation"] == 2


def test_a_status_about_an_older_version_is_refused(api: Api) -> None:
    made = metadata(api.apply(NODE_OBJECTS, node_object("a"), manager=MANAGER))
    status: Document = {
        "apiVersion": NODE_OBJECTS.api_version,
        "kind": NODE_OBJECTS.kind,
        "metadata": {"name": "a", "uid": made["uid"], "resourceVersion": made["resourceVersion"]},
        "status": {"observedRevision": 1},
    }
    stored = api.apply(NODE_OBJECTS, status, manager=MANAGER, subresource="status")
    assert stored["status"] == {"observedRevision": 1}
    api.delete(NODE_OBJECTS, "a")
    api.apply(NODE_OBJECTS, node_object("a"), manager=MANAGER)
    with pytest.raises(ApiError) as refused:
        api.apply(NODE_OBJECTS, status, manager=MANAGER, subresource="status")
    assert refused.value.status == 409


def test_pages_and_selectors(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE", 2)
    names = [f"set-{number}" for number in range(5)]
    for name in names:
        api.create(ADDRESS_SETS, address_set(name))
    found = api.list(ADDRESS_SETS)
    assert [metadata(item)["name"] for item in found.items] == names
    assert found.resource_version.isdecimal()
    one = api.list(ADDRESS_SETS, field_selector="metadata.name=set-3")
    assert [metadata(item)["name"] for item in one.items] == ["set-3"]


def test_metadata_alone(api: Api, wire: Wire) -> None:
    query = Query(resource=NODES, metadata_only=True)
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "bare"}}
    assert wire.request("POST", "/api/v1/nodes", node).status == 201
    try:
        listed = api.list_all(query)
        assert all("spec" not in item and "status" not in item for item in listed.items)
        assert "bare" in {metadata(item)["name"] for item in listed.items}
    finally:
        wire.request("DELETE", "/api/v1/nodes/bare")
    stream = api.watch(query, listed.resource_version, seconds=30, read_seconds=LIMIT)
    try:
        event = next(iter(stream))
    finally:
        stream.close()
    found = event["object"]
    assert isinstance(found, dict)
    assert "spec" not in found


def test_a_version_of_long_ago_is_gone(api: Api) -> None:
    api.create(ADDRESS_SETS, address_set("a"))
    query = Query(resource=ADDRESS_SETS)
    with pytest.raises(ApiError) as gone:
        list_events(api, query, "1")
    assert gone.value.status == 410


def list_events(api: Api, query: Query, version: str) -> None:
    """Reads a watch as the reflector does, to its end or the first ERROR."""
    told = Told()
    reflector = Reflector(api, query, told)
    stream = api.watch(query, version, seconds=5, read_seconds=LIMIT)
    try:
        for event in stream:
            reflector._event(event)
    finally:
        stream.close()


def test_a_server_that_is_not_the_one_trusted(api: Api, cluster: Cluster) -> None:
    stranger = Api(replace(api.access, ca_file=None, ca_text=""), "test")
    with pytest.raises(ApiError, match="certificate") as refused:
        stranger.list(ADDRESS_SETS)
    assert refused.value.status == 0
    nobody = Api(replace(api.access, token="wrong"), "test")
    with pytest.raises(ApiError) as unknown:
        nobody.list(ADDRESS_SETS)
    assert unknown.value.status == 401


def test_one_namespace(api: Api) -> None:
    lease: Document = {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {"name": "a"},
        "spec": {"holderIdentity": "x"},
    }
    leases = LEASES.within("default")
    api.create(leases, lease)
    assert [metadata(item)["name"] for item in api.list(leases).items] == ["a"]
    assert "a" in {metadata(item)["name"] for item in api.list(LEASES).items}
    assert api.delete(leases, "a")


class Told:
    """A sink that knows what there is; None before it was told anything."""

    def __init__(self) -> None:
        self.names: set[str] | None = None

    def replaced(self, items: Sequence[Document]) -> None:
        self.names = {str(metadata(item)["name"]) for item in items}

    def changed(self, item: Document) -> None:
        self.names = {*(self.names or ()), str(metadata(item)["name"])}

    def deleted(self, name: str) -> None:
        self.names = (self.names or set()) - {name}

    def until(self, *names: str) -> None:
        until(lambda: self.names == {*names}, f"there are {names}")


def test_following_through_a_restart(api: Api, cluster: Cluster) -> None:
    told = Told()
    pace = Pace(watch_seconds=2, first_backoff=0.1, longest_backoff=0.5)
    reflector = Reflector(api, Query(resource=ADDRESS_SETS), told, pace)
    reflector.start()
    try:
        told.until()
        api.create(ADDRESS_SETS, address_set("a"))
        api.create(ADDRESS_SETS, address_set("b"))
        told.until("a", "b")
        api.delete(ADDRESS_SETS, "b")
        told.until("a")
        cluster.stop_api_server()
        cluster.start_api_server()
        api.delete(ADDRESS_SETS, "a")
        told.until()
        assert reflector.is_alive()
    finally:
        reflector.stop()
        reflector.join(LIMIT)
