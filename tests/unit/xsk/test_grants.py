"""Who may take a socket: the table of what is allowed, and refusals for all the rest."""

from dataclasses import replace

import pytest

from xdpredirect.xsk.grants import CopyMode, Grant, Peer, Refusal, authorise, granted

ALICE, BOB, EVE = 1000, 1001, 1002
POD = "7a1c2f6e-0d3b-4b8e-9f60-1d2f3a4b5c6d"
ONE = Grant("ids", "mirror", "eth0", 4, frozenset({0, 1}), frozenset({ALICE}), False, CopyMode.AUTO)
TWO = replace(ONE, rule="dns", queues=frozenset({1, 2}), users=frozenset({ALICE, BOB}))
ELSEWHERE = replace(ONE, interface="eth1", ifindex=5)
GRANTS = (ONE, TWO, ELSEWHERE)


@pytest.mark.parametrize(
    ("uid", "interface", "queue", "rules"),
    [
        (ALICE, "eth0", 0, ["mirror"]),
        (ALICE, "eth0", 1, ["mirror", "dns"]),
        (ALICE, "eth0", 2, ["dns"]),
        (BOB, "eth0", 1, ["dns"]),
        (ALICE, "eth1", 0, ["mirror"]),
        (BOB, "eth0", 0, []),
        (BOB, "eth1", 0, []),
        (EVE, "eth0", 0, []),
        (0, "eth0", 0, []),
        (ALICE, "eth0", 3, []),
        (ALICE, "eth", 0, []),
        (ALICE, "eth00", 0, []),
        (ALICE, "", 0, []),
    ],
)
def test_who_may_have_what(uid: int, interface: str, queue: int, rules: list[str]) -> None:
    peer = Peer(1, uid)
    assert [g.rule for g in granted(peer, GRANTS, interface, queue)] == rules
    answer = authorise(peer, GRANTS, interface, queue)
    if rules:
        assert isinstance(answer, Grant)
        assert answer.rule == rules[0]
    else:
        assert isinstance(answer, Refusal)
        assert answer.reason == "NotGranted"


def test_a_user_of_a_pod_is_no_user_of_the_host() -> None:
    answer = authorise(Peer(1, ALICE, POD), GRANTS, "eth0", 0)
    assert answer == Refusal("NotGranted", f"pod {POD} has no grant for eth0")


HOST_POD, OTHER_POD = POD.replace("7", "8"), POD.replace("7", "9")
FOR_PODS = replace(
    ONE, users=frozenset(), pods=frozenset({POD}), host_pods=frozenset({HOST_POD, ""})
)


@pytest.mark.parametrize(
    ("peer", "queue", "answer"),
    [
        (Peer(1, ALICE, POD), 0, FOR_PODS),
        (Peer(1, 0, POD), 1, FOR_PODS),
        (
            Peer(1, 0, POD),
            2,
            Refusal("NotGranted", f"pod {POD} has no grant for queue 2 of eth0, but for 0, 1"),
        ),
        (Peer(1, 0, OTHER_POD), 0, Refusal("NotGranted", f"pod {OTHER_POD} has no grant for eth0")),
        (
            Peer(1, 0, HOST_POD),
            0,
            Refusal("HostNetwork", f"pod {HOST_POD} lives in the network of the host"),
        ),
        (Peer(1, ALICE), 0, Refusal("NotGranted", "user 1000 has no grant for eth0")),
        (Peer(1, 0), 0, Refusal("NotGranted", "user 0 has no grant for eth0")),
    ],
)
def test_pods_have_what_their_uid_has(peer: Peer, queue: int, answer: Grant | Refusal) -> None:
    assert authorise(peer, (FOR_PODS,), "eth0", queue) == answer


def test_a_pod_that_one_rule_refuses_is_not_let_in_by_the_same_rule() -> None:
    both = replace(FOR_PODS, pods=frozenset({HOST_POD}), host_pods=frozenset({HOST_POD}))
    answer = authorise(Peer(1, 0, HOST_POD), (both,), "eth0", 0)
    assert isinstance(answer, Refusal)
    assert answer.reason == "HostNetwork"


def test_nothing_is_granted_by_nothing() -> None:
    assert isinstance(authorise(Peer(1, 0), (), "eth0", 0), Refusal)


def test_a_refusal_tells_of_ones_own_queues_and_of_nobody_elses() -> None:
    own = authorise(Peer(1, BOB), GRANTS, "eth0", 0)
    assert own == Refusal("NotGranted", "user 1001 has no grant for queue 0 of eth0, but for 1, 2")
    assert authorise(Peer(1, EVE), GRANTS, "eth0", 0) == Refusal(
        "NotGranted", "user 1002 has no grant for eth0"
    )
