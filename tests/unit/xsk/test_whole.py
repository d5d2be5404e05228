"""Which pods may have the whole map of an interface: those that have the interface itself."""

from dataclasses import replace

import pytest

from xdpredirect.xsk.grants import CopyMode, Grant, Peer
from xdpredirect.xsk.whole import problem_of, problem_there

A, B, OWN, POD = "6e1a0f1c-58c8-4f2e-9a51-000000000001", "b", 1, 77
GRANT = Grant(
    *("o", "r", "eth0", 2, frozenset({0}), frozenset()),
    transmit=True,
    copy_mode=CopyMode.AUTO,
    pods=frozenset({A, B}),
    whole_map="plugin8_pod_",
    away=True,
)
HAS_IT = Peer(10, 0, A, POD)


@pytest.mark.parametrize(
    ("peer", "grant", "reason"),
    [
        (HAS_IT, GRANT, ""),
        (HAS_IT, None, "NotGranted"),
        (replace(HAS_IT, pod="c"), GRANT, "NotGranted"),
        (replace(HAS_IT, pod=""), GRANT, "NotGranted"),
        (HAS_IT, replace(GRANT, host_pods=frozenset({A})), "HostNetwork"),
        (HAS_IT, replace(GRANT, pods=frozenset(), host_pods=frozenset({A})), "HostNetwork"),
        (HAS_IT, replace(GRANT, away=False), "InterfaceHere"),
        (replace(HAS_IT, netns=0), GRANT, "KernelTooOld"),
        (replace(HAS_IT, netns=OWN), GRANT, "WrongNamespace"),
        # Users are of the host, and their devices are at home.
        (Peer(10, 5), replace(GRANT, users=frozenset({5}), pods=frozenset(), away=False), ""),
        (replace(HAS_IT, uid=5), replace(GRANT, users=frozenset({5}), pods=frozenset()), "No"),
    ],
)
def test_by_grant_and_namespace(peer: Peer, grant: Grant | None, reason: str) -> None:
    found = problem_of(peer, grant, OWN)
    assert bool(found) == bool(reason)
    assert found is None or found.reason.startswith(reason)


def test_by_where_the_device_is_and_whose_the_map_is() -> None:
    elsewhere = problem_there(HAS_IT, replace(GRANT, holder=A), "")
    assert elsewhere is not None
    assert elsewhere.reason == "WrongNamespace"
    for holder in ("", B):
        not_yet = problem_there(HAS_IT, replace(GRANT, holder=holder), "net1")
        assert not_yet is not None
        assert not_yet.reason == "InPreparation"
    assert problem_there(HAS_IT, replace(GRANT, holder=A), "net1") is None
