"""The pods of a node object: what the operator writes is what the agent reads."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.api.changes import changed, schema_of
from tests.unit.api.test_node import EVERY_FIELD, node_object, redirect_from, stored
from xdpredirect.api.node import decode_node, to_documents
from xdpredirect.api.node_pods import MOST, NodePod, NodePods, granted, refused
from xdpredirect.errors import InvalidInput

A = NodePod(rule="sockets", namespace="ids", name="ids-0", uid="0-a")
HOST = replace(A, name="ids-1", uid="0-b", refused="HostNetwork")
OTHER = replace(A, rule="more", name="ids-2", uid="0-c")
PODS = "/spec/redirects/0/pods"


def told(pods: NodePods | None) -> dict[str, Any]:
    return node_object(replace(redirect_from(stored(EVERY_FIELD)), pods=pods))


@pytest.mark.parametrize(
    "pods", [None, NodePods(), NodePods(listed=(A, HOST, OTHER)), NodePods(listed=(A,), left_out=7)]
)
def test_pods_arrive(pods: NodePods | None) -> None:
    (redirect,) = decode_node(told(pods)).redirects
    assert redirect.pods == pods


def test_who_is_granted_and_who_is_refused() -> None:
    pods = NodePods(listed=(A, HOST, OTHER))
    assert granted(pods, "sockets") == {"0-a"}
    assert refused(pods, "sockets") == {"0-b"}
    assert granted(pods, "more") == {"0-c"}
    assert granted(pods, "none") == refused(pods, "none") == frozenset()


def test_a_reason_that_this_version_does_not_know_refuses_all_the_same() -> None:
    document = changed(told(NodePods(listed=(A,))), {"at": f"{PODS}/0/refused", "set": "Later"})
    (redirect,) = decode_node(document).redirects
    assert redirect.pods is not None
    assert refused(redirect.pods, "sockets") == {"0-a"}


def test_the_documents_of_a_node_do_not_change_with_its_pods() -> None:
    with_pods, without = (to_documents(decode_node(told(p))) for p in (NodePods(listed=(A,)), None))
    assert with_pods == without


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"at": PODS, "set": {}}, r"redirects\[0\]\.pods: must be a list"),
        ({"at": f"{PODS}/0/uid"}, r"pods\[0\]\.uid: is missing"),
        ({"at": f"{PODS}/0/rule"}, r"pods\[0\]\.rule: is missing"),
        ({"at": f"{PODS}/0/zzzz", "set": 1}, r"pods\[0\]\.zzzz: unknown field"),
        ({"at": PODS}, r"podsLeftOut: belongs to pods"),
    ],
)
def test_what_is_no_list_of_pods_is_refused(change: dict[str, Any], line: str) -> None:
    with pytest.raises(InvalidInput, match=line):
        decode_node(changed(told(NodePods(listed=(A,), left_out=1)), change))


def test_bounds_and_fields_are_those_of_the_schema() -> None:
    entry = schema_of("XdpRedirectNode")["properties"]["redirects"]["items"]["properties"]
    assert entry["pods"]["maxItems"] == MOST
    sample = told(NodePods(listed=(HOST,)))["spec"]["redirects"][0]["pods"][0]
    assert set(sample) == set(entry["pods"]["items"]["properties"])
    assert sample["refused"] in entry["pods"]["items"]["properties"]["refused"]["enum"]
