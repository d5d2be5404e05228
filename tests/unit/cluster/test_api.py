"""What goes over the wire for each verb, and what a refusal becomes."""

import pytest

from tests.unit.cluster.fake_server import Handler, Step, cut, listing, refusal, serving, thing
from xdpredirect.cluster.api import Api, Query
from xdpredirect.cluster.requests import NO_ANSWER
from xdpredirect.cluster.resource import LEASES, NODE_OBJECTS, NODES, REDIRECTS
from xdpredirect.errors import ApiError

DOCUMENT: dict[str, object] = {"metadata": {"name": "a"}, "spec": {"x": 1}}


def answer(value: object) -> Step:
    return lambda handler: handler.say(200, value)


def test_get() -> None:
    with serving(answer(thing("a")), refusal(404, "NotFound")) as server:
        api = Api(server.access, "xdpredirect/1 (test)")
        assert api.get(NODE_OBJECTS, "a") == thing("a")
        assert api.get(LEASES.within("ns"), "b") is None
    first, second = server.requests
    assert first.path == "/apis/xdpredirect.io/v1alpha1/xdpredirectnodes/a"
    assert second.path == "/apis/coordination.k8s.io/v1/namespaces/ns/leases/b"
    assert first.headers["user-agent"] == "xdpredirect/1 (test)"
    assert "authorization" not in first.headers


def test_requests_are_counted_by_what_answered_them() -> None:
    script = (answer(thing("a")), refusal(404, "NotFound"), refusal(409, "Conflict"), cut)
    with serving(*script) as server:
        api = Api(server.access, "test")
        api.get(NODE_OBJECTS, "a")
        api.get(NODE_OBJECTS, "b")
        for _ in range(2):
            with pytest.raises(ApiError):
                api.replace(NODE_OBJECTS, DOCUMENT)
    assert api.requests.codes() == {"200": 1, "404": 1, "409": 1, NO_ANSWER: 1}


def test_a_missing_collection_is_no_missing_object() -> None:
    # The CRD is not there: the server answers with a page, or with a reason of its own.
    with serving(lambda handler: handler.say(404, b"404 page not found")) as server:
        with pytest.raises(ApiError, match="404 page not found") as caught:
            Api(server.access, "test").get(NODE_OBJECTS, "a")
        assert caught.value.status == 404
        with pytest.raises(ApiError):
            Api(server.access, "test").delete(NODE_OBJECTS, "a")


def test_list_takes_every_page() -> None:
    with serving(listing(thing("a"), more="token"), listing(thing("b"), version=11)) as server:
        found = Api(server.access, "test").list(NODES, label_selector="role=edge")
    assert [item["metadata"]["name"] for item in found.items] == ["a", "b"]  # type: ignore[index]
    assert found.resource_version == "11"
    first, second = server.requests
    assert first.path == "/api/v1/nodes"
    assert first.query == {"labelSelector": "role=edge", "limit": "500"}
    assert second.query == {"labelSelector": "role=edge", "limit": "500", "continue": "token"}


def test_list_in_one_piece_when_the_pages_are_outdated() -> None:
    script = (listing(thing("a"), more="token"), refusal(410, "Expired"), listing(thing("c")))
    with serving(*script) as server:
        found = Api(server.access, "test").list(NODES)
    assert [item["metadata"]["name"] for item in found.items] == ["c"]  # type: ignore[index]
    assert server.requests[2].query == {}


def test_metadata_only_asks_for_metadata_in_lists_and_watches() -> None:
    query = Query(resource=NODES, metadata_only=True)
    assert query.accept(of_list=True).endswith(";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
    assert query.accept(of_list=False).endswith(";as=PartialObjectMetadata;g=meta.k8s.io;v=v1")


def test_of_each_object_only_its_essence_is_kept_page_by_page() -> None:
    query = Query(resource=NODES, essence=lambda item: {"metadata": item["metadata"]}, page=100)
    script = (listing(thing("a", x=1), more="token"), listing(thing("b", x=2)))
    with serving(*script) as server:
        found = Api(server.access, "test").list_all(query)
    assert [[*item] for item in found.items] == [["metadata"], ["metadata"]]
    assert [asked.query["limit"] for asked in server.requests] == ["100", "100"]


def test_apply() -> None:
    with serving(answer(DOCUMENT)) as server:
        Api(server.access, "test").apply(NODE_OBJECTS, DOCUMENT, manager="me", subresource="status")
    (asked,) = server.requests
    assert (asked.method, asked.body) == ("PATCH", DOCUMENT)
    assert asked.path.endswith("/xdpredirectnodes/a/status")
    assert asked.query == {"fieldManager": "me", "force": "true", "fieldValidation": "Strict"}
    assert asked.headers["content-type"] == "application/apply-patch+yaml"


def test_the_other_writes() -> None:
    with serving(answer(DOCUMENT)) as server:
        api = Api(server.access, "test")
        api.apply(REDIRECTS, DOCUMENT, manager="me", force=False)
        api.merge_patch(REDIRECTS, "a", {"metadata": {"finalizers": None}})
        api.create(REDIRECTS, DOCUMENT)
        api.replace(REDIRECTS, DOCUMENT)
        assert api.delete(REDIRECTS, "a", uid="u")
    apply, patch, create, replace, delete = server.requests
    assert "force" not in apply.query
    assert patch.headers["content-type"] == "application/merge-patch+json"
    assert (create.method, create.path) == ("POST", REDIRECTS.path())
    assert (replace.method, replace.path) == ("PUT", REDIRECTS.path("a"))
    assert delete.body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "u"},
    }


def test_deleting_what_is_gone() -> None:
    with serving(refusal(404, "NotFound")) as server:
        assert Api(server.access, "test").delete(REDIRECTS, "a") is False


def test_a_refusal_keeps_the_servers_words() -> None:
    def refuse(handler: Handler) -> None:
        value = {
            "kind": "Status",
            "code": 429,
            "reason": "TooManyRequests",
            "message": "slow down",
            "details": {"retryAfterSeconds": 7},
        }
        handler.say(429, value, Retry_After="3")

    with serving(refuse) as server, pytest.raises(ApiError) as caught:
        Api(server.access, "test").create(REDIRECTS, DOCUMENT)
    error = caught.value
    assert (error.status, error.reason, error.message) == (429, "TooManyRequests", "slow down")
    assert error.retry_after == 7
    assert error.retry


def test_an_invalid_object_is_not_tried_again() -> None:
    with serving(refusal(422, "Invalid")) as server, pytest.raises(ApiError) as caught:
        Api(server.access, "test").create(REDIRECTS, DOCUMENT)
    assert not caught.value.retry


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (cut, "Unreachable"),
        (answer([1]), "BadAnswer"),
        (lambda handler: handler.say(200, b"{"), "BadAnswer"),
        (lambda handler: handler.say(302, b"", Location="http://x/"), "Refused"),
    ],
)
def test_what_is_no_answer_of_an_api_server(step: Step, reason: str) -> None:
    with serving(step) as server, pytest.raises(ApiError) as caught:
        Api(server.access, "test").get(REDIRECTS, "a")
    assert caught.value.reason == reason


def test_nobody_listens() -> None:
    with serving(listing()) as gone:
        access = gone.access
    with pytest.raises(ApiError, match="refused") as caught:
        Api(access, "test").list(REDIRECTS)
    assert caught.value.status == 0
    assert caught.value.retry
