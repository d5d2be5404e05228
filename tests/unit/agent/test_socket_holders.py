"""Whose map it is: the name of a map for pods has the UID of the one pod that may have it."""

from dataclasses import replace

import pytest

from tests.unit.datapath.samples import host, link, port, redirect, rule
from xdpredirect.agent.away import away_findings
from xdpredirect.agent.desired import Desired, desire
from xdpredirect.agent.effective import Effective, effective
from xdpredirect.agent.observed import Observed, ObservedGeneration, ObservedInterface, ObservedMap
from xdpredirect.agent.socket_devices import devices_of
from xdpredirect.agent.socket_grants import grants_of
from xdpredirect.agent.socket_holders import Holders
from xdpredirect.agent.socket_whole import whole_map_findings
from xdpredirect.api.action import SocketAccess, Sockets
from xdpredirect.api.clients import PodClients, SocketProtocol
from xdpredirect.api.labels import LabelSelector
from xdpredirect.api.match import Range
from xdpredirect.api.node_pods import HOST_NETWORK, NodePod, NodePods
from xdpredirect.datapath.sockets import pod_in

A, B = "6e1a0f1c-58c8-4f2e-9a51-000000000001", "6e1a0f1c-58c8-4f2e-9a51-000000000002"
WHOLE = Sockets(
    queues=(Range(0, 0),),
    users=(),
    pods=(PodClients(namespace="ids", selector=LabelSelector()),),
    access=SocketAccess.RECEIVE_TRANSMIT,
    protocol=SocketProtocol.DEVICE_PLUGIN,
)
NOBODYS, OF_A, OF_B = ("plugin8_pod_", *(f"plugin8_pod_{u.replace('-', '_')}" for u in (A, B)))
CHOSEN = effective([redirect("o", [rule("r", port(7), WHOLE)])], (), {}, {})


def pods(*uids: str, rule: str = "r", refused: str = "") -> dict[str, NodePods]:
    """These are selected by the rule."""
    listed = (NodePod(rule=rule, namespace="n", name="p", uid=u, refused=refused) for u in uids)
    return {"o": NodePods(listed=tuple(listed))}


def look(
    holders: Holders, running: str = NOBODYS, *, away: bool = True, chosen: Effective = CHOSEN
) -> tuple[Desired, Observed]:
    """What is desired on p1, whose program has that map, and what is seen of it then."""
    there = replace(link(6, "p1"), away=away)
    machine = replace(host([] if away else [there]), away=(there,) if away else ())
    seen = Observed(interfaces={"p1": observed(running, away)}, pass_programs={})
    wanted = desire(chosen, machine, seen, "sources", holders)
    (name,) = (m.spec.name for m in wanted.interfaces["p1"].layout.maps if m.kept)
    return wanted, Observed(interfaces={"p1": observed(name, away)}, pass_programs={})


def observed(name: str, away: bool) -> ObservedInterface:
    (spec,) = (
        m.spec
        for item in desire(
            CHOSEN, host([link(6, "p1")]), Observed(interfaces={}, pass_programs={}), "sources"
        ).interfaces.values()
        for m in item.layout.maps
        if m.kept
    )
    maps = {name: ObservedMap(spec=replace(spec, name=name), id=1, entries=None)}
    return ObservedInterface(
        name="p1",
        counters=True,
        slots={},
        generations={"x": ObservedGeneration(digest="x", program=7, maps=maps)},
        attached_to=6,
        running=7,
        away=away,
    )


def map_of(holders: Holders, running: str = NOBODYS, *, away: bool = True) -> str:
    """Name of the map that is wanted."""
    _, seen = look(holders, running, away=away)
    (name,) = (n for g in seen.interfaces["p1"].generations.values() for n in g.maps)
    return name


@pytest.mark.parametrize(
    ("holders", "running", "wanted"),
    [
        (Holders(pods(A)), NOBODYS, NOBODYS),
        (Holders(pods(A), {"p1": A}), NOBODYS, OF_A),
        # An agent that starts finds whose it was.
        (Holders(pods(A)), OF_A, OF_A),
        (Holders(pods(A, B)), OF_A, OF_A),
        (Holders(pods(A, B), {"p1": B}), OF_A, OF_B),
        (Holders(pods(A, B), {"p2": B}), OF_A, OF_A),
        # No more among the clients, or never.
        (Holders(pods(B)), OF_A, NOBODYS),
        (Holders(pods(A, rule="other")), OF_A, NOBODYS),
        (Holders(pods(A, refused=HOST_NETWORK), {"p1": A}), NOBODYS, NOBODYS),
        (Holders(pods(A), {"p1": B}), OF_A, NOBODYS),
        (Holders(), OF_A, NOBODYS),
    ],
)
def test_whose_it_is_while_the_device_is_away(holders: Holders, running: str, wanted: str) -> None:
    assert map_of(holders, running) == wanted


def test_it_is_nobodys_while_the_device_is_at_home() -> None:
    """Whoever had it may still hold it."""
    assert map_of(Holders(pods(A), {"p1": A}), OF_A, away=False) == NOBODYS


def test_another_pod_means_another_program_and_the_same_pod_none() -> None:
    def digest(holders: Holders, running: str) -> str:
        return look(holders, running)[0].interfaces["p1"].layout.digest

    first = digest(Holders(pods(A, B), {"p1": A}), NOBODYS)
    assert digest(Holders(pods(A, B)), OF_A) == first
    assert digest(Holders(pods(A, B), {"p1": B}), OF_A) != first
    assert digest(Holders(pods(A, B)), NOBODYS) != first


def test_the_grant_says_whose_map_it_is() -> None:
    told = pods(A, B)
    desired, seen = look(Holders(told, {"p1": A}))
    (grant,) = grants_of(desired, seen, told)
    assert (grant.whole_map, grant.holder, grant.pods) == (OF_A, A, frozenset({A, B}))
    assert grant.away
    desired, seen = look(Holders(told), away=False)
    (grant,) = grants_of(desired, seen, told)
    assert (grant.whole_map, grant.holder, grant.away) == (NOBODYS, "", False)


def test_nothing_of_it_can_be_claimed() -> None:
    """The map comes with the device, not with a queue."""
    desired, seen = look(Holders(pods(A)), away=False)
    assert grants_of(desired, seen, pods(A))
    assert devices_of(desired, seen) == ()


def test_what_is_said_of_it() -> None:
    for away, holders, words in (
        (False, Holders(pods(A)), "p1 is on the node: give it to a pod"),
        (True, Holders(pods(A)), "has not been asked for by a pod of its clients that has p1"),
    ):
        (finding,) = whole_map_findings(look(holders, away=away)[0])
        assert (finding.reason, finding.severity, finding.rule) == ("MapWaitsForPod", "Info", "r")
        assert words in finding.message
    desired, seen = look(Holders(pods(A), {"p1": A}))
    assert whole_map_findings(desired) == ()
    (finding,) = away_findings(desired, seen, CHOSEN)
    assert f": the map of rule r is that of pod {A}" in finding.message
    desired, seen = look(Holders(pods(A)))
    (finding,) = away_findings(desired, seen, CHOSEN)
    assert ": who has it asks there for its map, by protocol DevicePlugin" in finding.message


@pytest.mark.parametrize(
    ("name", "pod"),
    [(OF_A, A), (NOBODYS, ""), ("plugin8_1000", ""), ("sockets8", ""), ("x_pod_y", "")],
)
def test_the_pod_in_the_name_of_a_map(name: str, pod: str) -> None:
    assert pod_in(name) == pod
