"""From claims to grants: who may take a queue that is claimed, and whose claim is refused."""

from dataclasses import replace
from typing import Any

import pytest

from xdpredirect.dra.claims import Claim, Queue, narrowed, objection, read_claim
from xdpredirect.dra.devices import Device
from xdpredirect.dra.messages import ClaimRef
from xdpredirect.xsk.grants import CopyMode, Grant, Peer, Refusal, authorise

POD, OTHER, STRANGER, IN_HOST = "pod", "other", "stranger", "in-host"
GRANT = Grant(
    redirect="ids",
    rule="mirror",
    interface="eth0",
    ifindex=4,
    queues=frozenset({0, 1}),
    users=frozenset({1000}),
    transmit=False,
    copy_mode=CopyMode.AUTO,
    pods=frozenset({POD, OTHER}),
    host_pods=frozenset({IN_HOST}),
)
QUEUE = Queue(device="eth0-0", interface="eth0", queue=0)
CLAIM = Claim(namespace="ids", name="one", uid="c1", pods=frozenset({POD}), queues=(QUEUE,))
DEVICES = [Device(interface="eth0", queue=queue, redirect="ids") for queue in (0, 1)]
REF = ClaimRef("ids", "one", "c1")


def result(**given: str) -> dict[str, str]:
    fields = {"driver": "xdpredirect.io", "pool": "node-1", "device": "eth0-0", "request": "queue"}
    return fields | given


def document(*results: dict[str, str], uid: str = "c1", pods: tuple[str, ...] = (POD,)) -> Any:
    return {
        "metadata": {"namespace": "ids", "name": "one", "uid": uid},
        "status": {
            "allocation": {"devices": {"results": list(results)}},
            "reservedFor": [{"resource": "pods", "name": "x", "uid": pod} for pod in pods],
        },
    }


def test_of_a_claim_only_what_is_of_this_driver_and_node_counts() -> None:
    read = read_claim(
        document(
            result(),
            result(device="eth0-1", request="second/large"),
            result(driver="gpu.example.com", device="gpu-0"),
            result(pool="node-2"),
        ),
        REF,
        "node-1",
        DEVICES,
    )
    queues = (
        replace(QUEUE, requests=("queue",)),
        Queue(device="eth0-1", interface="eth0", queue=1, requests=("second",)),
    )
    assert read == replace(CLAIM, queues=queues)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "is gone"),
        (document(result(), uid="c2"), "is gone"),
        (document(), "has no device of node node-1"),
        (document(result(pool="node-2")), "has no device of node node-1"),
        ({"metadata": {"uid": "c1"}}, "has no device of node node-1"),
        (document(result(device="eth0-7")), "no rule hands out device eth0-7"),
    ],
)
def test_a_claim_that_cannot_be_prepared(found: Any, words: str) -> None:
    read = read_claim(found, REF, "node-1", DEVICES)
    assert isinstance(read, str)
    assert words in read


def test_whoever_reserves_a_claim_that_is_no_pod_is_none() -> None:
    found = document(result())
    found["status"]["reservedFor"][0]["resource"] = "podgroups"
    read = read_claim(found, REF, "node-1", DEVICES)
    assert isinstance(read, Claim)
    assert read.pods == frozenset()


@pytest.mark.parametrize(
    ("claim", "grants", "words"),
    [
        (CLAIM, [GRANT], ""),
        (replace(CLAIM, pods=frozenset({POD, STRANGER})), [GRANT], ""),
        (replace(CLAIM, pods=frozenset({STRANGER})), [GRANT], "has the pod among its clients"),
        (replace(CLAIM, pods=frozenset()), [GRANT], "has the pod among its clients"),
        (CLAIM, [], "has the pod among its clients"),
        (CLAIM, [replace(GRANT, interface="eth1")], "has the pod among its clients"),
        (CLAIM, [replace(GRANT, queues=frozenset({1}))], "has the pod among its clients"),
        (replace(CLAIM, pods=frozenset({IN_HOST})), [GRANT], "network of the host"),
    ],
)
def test_a_claim_opens_nothing_that_no_object_opens(
    claim: Claim, grants: list[Grant], words: str
) -> None:
    said = objection(claim, grants, [claim])
    assert words in said
    assert bool(said) == bool(words)


def test_a_queue_is_claimed_once() -> None:
    other = replace(CLAIM, name="two", uid="c2", pods=frozenset({OTHER}))
    assert objection(other, [GRANT], [CLAIM]) == "queue 0 of eth0 is claimed by ids/one"


@pytest.mark.parametrize(
    ("peer", "queue", "may"),
    [
        (Peer(1, 0, POD), 0, True),
        (Peer(1, 0, OTHER), 0, False),
        (Peer(1, 1000), 0, False),
        (Peer(1, 0, STRANGER), 0, False),
        (Peer(1, 0, IN_HOST), 0, False),
        (Peer(1, 0, POD), 1, True),
        (Peer(1, 0, OTHER), 1, True),
        (Peer(1, 1000), 1, True),
    ],
)
def test_a_claimed_queue_is_for_its_pod_alone(peer: Peer, queue: int, may: bool) -> None:
    answer = authorise(peer, narrowed([GRANT], [CLAIM]), "eth0", queue)
    assert isinstance(answer, Grant) == may


def test_a_pod_in_the_network_of_the_host_is_told_so_also_of_a_claimed_queue() -> None:
    claim = replace(CLAIM, pods=frozenset({IN_HOST}))
    answer = authorise(Peer(1, 0, IN_HOST), narrowed([GRANT], [claim]), "eth0", 0)
    assert isinstance(answer, Refusal)
    assert answer.reason == "HostNetwork"


def test_a_claim_whose_pod_is_selected_no_longer_grants_nothing_and_stays() -> None:
    grants = narrowed([replace(GRANT, pods=frozenset({OTHER}))], [CLAIM])
    for pod in (POD, OTHER):
        assert isinstance(authorise(Peer(1, 0, pod), grants, "eth0", 0), Refusal)


def test_grants_of_other_queues_and_without_claims_stay_as_they_are() -> None:
    elsewhere = replace(GRANT, interface="eth1")
    assert narrowed([GRANT, elsewhere], []) == (GRANT, elsewhere)
    assert elsewhere in narrowed([GRANT, elsewhere], [CLAIM])
