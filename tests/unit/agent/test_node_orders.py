"""A node object is followed, or refused with the reason that its status will give."""

from typing import Any

import pytest

from xdpredirect.agent.orders import Orders, Refusal, read_orders

RULE = {"name": "r", "match": {"all": True}, "action": {"type": "Drop"}}


def node(**spec: Any) -> dict[str, Any]:
    redirect = {"interfaces": [{"names": ["eth0"]}], "rules": [RULE]}
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirectNode",
        "metadata": {"name": "a", "uid": "u", "generation": 7, "resourceVersion": "10"},
        "spec": {
            "revision": 3,
            "requiredFeatures": ["action/Drop"],
            "addressSets": ["s"],
            "redirects": [{"name": "edge", "uid": "e", "generation": 2, "spec": redirect}],
            **spec,
        },
        "status": {"anything": 1},
    }


def test_orders() -> None:
    found = read_orders(node(), "1.0")
    assert isinstance(found, Orders)
    assert (found.uid, found.generation, found.revision) == ("u", 7, 3)
    assert found.address_sets == {"s"}
    (document,) = found.documents
    assert document["metadata"] == {"name": "edge", "uid": "e", "generation": 2}
    assert document["spec"]["nodeSelector"] == {}  # type: ignore[index]


def test_nothing_is_wanted() -> None:
    found = read_orders(node(redirects=[], addressSets=[], requiredFeatures=[]), "1.0")
    assert isinstance(found, Orders)
    assert found.documents == ()


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"requiredFeatures": ["match/novel"]}, "AgentTooOld", "1.0 does not know match/novel"),
        ({"requiredFeatures": ["match/novel"], "novel": 1}, "AgentTooOld", "upgrade the agent"),
        ({"novel": 1}, "InvalidSpec", "novel"),
        ({"redirects": None}, "InvalidSpec", "redirects"),
        ({"redirects": [{"name": "x"}]}, "InvalidSpec", "nothing changes on this node"),
    ],
)
def test_refusals(spec: dict[str, Any], reason: str, words: str) -> None:
    found = read_orders(node(**spec), "1.0")
    assert isinstance(found, Refusal)
    assert (found.uid, found.generation, found.revision) == ("u", 7, 3)
    assert found.reason == reason
    assert words in found.message


@pytest.mark.parametrize("spec", [None, [], {"revision": "3"}, {"revision": True}])
def test_what_is_no_spec_at_all(spec: object) -> None:
    found = read_orders({**node(), "spec": spec}, "1.0")
    assert isinstance(found, Refusal)
    assert (found.reason, found.revision) == ("InvalidSpec", 0)
