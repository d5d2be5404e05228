"""Protocol DevicePlugin: one client has the map of an interface, and another client another map."""

from dataclasses import replace

import pytest

from tests.unit.datapath.samples import EVERYTHING, host, layout_of, link, port, redirect, rule
from xdpredirect.agent.desired import Desired, desire
from xdpredirect.agent.effective import effective
from xdpredirect.agent.observed import Observed, ObservedGeneration, ObservedInterface, ObservedMap
from xdpredirect.agent.socket_grants import grants_of
from xdpredirect.agent.socket_whole import whole_map_findings
from xdpredirect.api.action import SocketAccess, Sockets
from xdpredirect.api.clients import PodClients, SocketProtocol
from xdpredirect.api.labels import LabelSelector
from xdpredirect.api.match import Range
from xdpredirect.api.redirect import XdpRedirect

MACHINE = host([link(1, "p1")])
PLUGIN = Sockets(
    queues=(Range(0, 1),),
    users=("1000",),
    access=SocketAccess.RECEIVE_TRANSMIT,
    protocol=SocketProtocol.DEVICE_PLUGIN,
)
NATIVE = Sockets(queues=(Range(2, 3),), users=("1000",))
PODS = (PodClients(namespace="ids", selector=LabelSelector()),)


def wanted(*redirects: XdpRedirect) -> Desired:
    """What is desired on p1."""
    chosen = effective(redirects, (), {}, {})
    return desire(chosen, MACHINE, Observed(interfaces={}, pass_programs={}), "sources")


def given(*redirects: XdpRedirect) -> list[tuple[str, str]]:
    """The rules whose sockets or maps can be had, once their program runs."""
    desired = wanted(*redirects)
    layout = desired.interfaces["p1"].layout
    maps = {m.spec.name: ObservedMap(spec=m.spec, id=1, entries=None) for m in layout.maps}
    running = ObservedGeneration(digest=layout.digest, program=7, maps=maps)
    there = ObservedInterface(
        name="p1",
        counters=True,
        slots={},
        generations={layout.digest: running},
        attached_to=1,
        running=7,
    )
    seen = Observed(interfaces={"p1": there}, pass_programs={})
    return [(g.redirect, g.whole_map) for g in grants_of(desired, seen, None)]


def said(*redirects: XdpRedirect) -> list[str]:
    """The findings, and that it is about them that nobody gets the map."""
    findings = whole_map_findings(wanted(*redirects))
    assert {finding.reason for finding in findings} <= {"MapNotHandedOut"}
    refused = {finding.object for finding in findings}
    assert not [name for name, whole in given(*redirects) if whole and name in refused]
    return [f"{finding.object}: {finding.message}" for finding in findings]


def one(name: str, action: Sockets) -> XdpRedirect:
    """An object with one rule of its own name."""
    return redirect(name, [rule(name, port(7), action)])


def test_one_client_gets_the_map() -> None:
    assert said(one("a", PLUGIN)) == []
    assert given(one("a", PLUGIN)) == [("a", "plugin8_1000")]


def test_native_rules_with_other_queues_are_beside_it() -> None:
    assert said(one("a", PLUGIN), one("b", NATIVE)) == []
    assert given(one("a", PLUGIN), one("b", NATIVE)) == [("a", "plugin8_1000"), ("b", "")]


def test_native_rules_keep_their_queues() -> None:
    both = one("a", PLUGIN), one("b", replace(NATIVE, queues=(Range(1, 3),)))
    (words,) = said(*both)
    assert "rule b of b hands out queue 1 as well; a queue has one socket" in words
    assert given(*both) == [("b", "")]


def test_of_two_maps_of_an_interface_nobody_gets_one() -> None:
    both = one("a", PLUGIN), one("b", replace(PLUGIN, queues=(Range(4, 4),)))
    assert [words.partition(",")[0] for words in said(*both)] == [
        "a: rule a has protocol DevicePlugin and so has rule b of b",
        "b: rule b has protocol DevicePlugin and so has rule a of a",
    ]
    assert given(*both) == []


@pytest.mark.parametrize(
    ("action", "words"),
    [
        # What the schema refuses cannot come from a user, but from a node object by hand.
        (replace(PLUGIN, users=("1000", "1001")), "is for one client alone"),
        (replace(PLUGIN, users=()), "is for one client alone"),
        (replace(PLUGIN, pods=PODS), "is for one client alone"),
        (replace(PLUGIN, users=(), pods=PODS * 2), "is for one client alone"),
        (replace(PLUGIN, users=("nobody-knows-me",)), "its user is not known here"),
    ],
)
def test_it_is_for_one_client(action: Sockets, words: str) -> None:
    (finding,) = said(one("a", action))
    assert words in finding
    assert given(one("a", action)) == []


def test_another_client_has_another_map() -> None:
    """The first one holds its map as long as it likes."""

    def its_map(action: Sockets) -> tuple[str, str]:
        layout = layout_of([redirect("o", [rule("r", EVERYTHING, action)])], MACHINE)
        (name,) = (m.spec.name for m in layout.maps if m.kept)
        return layout.digest, name

    first = its_map(PLUGIN)
    assert its_map(replace(PLUGIN, users=("1001",))) not in (first, its_map(NATIVE))
    assert its_map(replace(PLUGIN, users=("1001",)))[0] != first[0]
    assert its_map(replace(PLUGIN, protocol=SocketProtocol.NATIVE))[1] != first[1]
    # It keeps its map when more queues are its own.
    assert its_map(replace(PLUGIN, queues=(Range(0, 7),)))[1] == first[1]
