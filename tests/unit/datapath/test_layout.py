"""Layouts: equal wishes are equal, contents do not change the generation, shapes do."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.datapath.samples import (
    EVERYTHING,
    address_set,
    host,
    layout_of,
    link,
    port,
    redirect,
    rule,
)
from xdpredirect.api.action import (
    Action,
    Broadcast,
    CPUs,
    DeviceGroup,
    Drop,
    GroupMember,
    OnMiss,
    Pass,
    SocketAccess,
    Sockets,
    ToDevice,
)
from xdpredirect.api.match import Match, Range
from xdpredirect.api.redirect import Protect, Rule, XdpRedirect
from xdpredirect.datapath.abi import PAIR, U32
from xdpredirect.datapath.builder import LayoutConflict
from xdpredirect.datapath.layout import Layout
from xdpredirect.datapath.mapspec import MapType
from xdpredirect.datapath.pieces import Place
from xdpredirect.host import Host

LINKS = [link(1, "p1"), link(2, "p2"), link(3, "p3")]
TO_P2 = ToDevice(name="p2")


def entries(layout: Layout, name: str) -> dict[bytes, bytes]:
    return dict(next(m for m in layout.maps if m.spec.name == name).entries)


def laid(*rules: Rule, links: list | None = None, protect: Protect = Protect.NONE) -> Layout:
    return layout_of([redirect("o", rules, protect=protect)], host(links or LINKS))


MATCHES = st.sampled_from(
    [EVERYTHING, port(7), port(53), Match(vlan_tags=1), Match(source_address_sets=("s",))]
)
GROUP: Action = DeviceGroup(members=(GroupMember(name="p2", weight=2), GroupMember(name="p3")))
ACTIONS: st.SearchStrategy[Action] = st.sampled_from(
    [Drop(), Pass(), TO_P2, GROUP, CPUs(set=(Range(0, 3),))]
)
RULES = st.lists(st.tuples(MATCHES, ACTIONS), min_size=1, max_size=6).map(
    lambda made: [rule(f"r{n}", match, action) for n, (match, action) in enumerate(made)]
)


@settings(max_examples=50)
@given(RULES)
def test_same_wish_same_layout(rules: list[Rule]) -> None:
    sets = [address_set("s", ["10.0.0.0/8"])]
    machine = host(LINKS)
    one = layout_of([redirect("o", rules)], machine, sets=sets)
    two = layout_of(
        [redirect("o", rules)], Host(links=tuple(reversed(LINKS)), cpus=machine.cpus), sets=sets
    )
    assert one == two
    assert len(one.digest) == 12


def test_digest_does_not_depend_on_where_a_device_is() -> None:
    """Target changes are map entries: the program is not recompiled."""
    before = laid(rule("r", port(7), TO_P2))
    moved = laid(rule("r", port(7), TO_P2), links=[link(1, "p1"), link(20, "p2"), link(3, "p3")])
    gone = laid(rule("r", port(7), TO_P2), links=[link(1, "p1"), link(3, "p3")])
    other = laid(rule("r", port(7), ToDevice(name="p3")))
    assert before.digest == moved.digest == gone.digest == other.digest
    key = U32.pack(0)
    assert entries(before, "devices") == {key: PAIR.pack(2, 0)}
    assert entries(moved, "devices") == {key: PAIR.pack(20, 0)}
    assert entries(other, "devices") == {key: PAIR.pack(3, 0)}
    assert entries(gone, "devices") == {}
    assert gone.targets["o", "r"] == ("p2 (missing)",)


def test_digest_does_not_depend_on_weights_or_liveness() -> None:
    before = laid(rule("r", port(7), GROUP))
    swapped = DeviceGroup(members=(GroupMember(name="p2"), GroupMember(name="p3", weight=2)))
    down = [LINKS[0], LINKS[1], dataclasses.replace(LINKS[2], up=False)]
    assert laid(rule("r", port(7), swapped)).digest == before.digest
    alone = laid(rule("r", port(7), GROUP), links=down)
    assert alone.digest == before.digest
    assert set(entries(alone, "devices").values()) == {PAIR.pack(2, 0)}


def test_digest_does_not_depend_on_members_of_a_set() -> None:
    wish = [redirect("o", [rule("r", Match(source_address_sets=("s",)), Drop())])]
    small = layout_of(wish, host(LINKS), sets=[address_set("s", ["10.0.0.0/8"])])
    large = layout_of(
        wish, host(LINKS), sets=[address_set("s", [f"10.{n}.0.0/16" for n in range(250)])]
    )
    assert small.digest == large.digest
    assert len(entries(small, "lpm4")) == 1
    assert len(entries(large, "lpm4")) == 250


def test_digest_does_not_depend_on_cpus_of_a_spread() -> None:
    one = laid(rule("r", port(7), CPUs(set=(Range(0, 1),))))
    two = laid(rule("r", port(7), CPUs(set=(Range(0, 3),))))
    assert one.digest == two.digest
    assert len(entries(one, "cpumap0")) == 2
    assert len(entries(two, "cpumap0")) == 4


@pytest.mark.parametrize(
    "changed",
    [
        redirect("o", [rule("r", port(8), TO_P2)]),
        redirect("o", [rule("r", port(7), Drop())]),
        redirect("o", [Rule(name="r", match=port(7), action=TO_P2, on_miss=OnMiss.DROP)]),
        redirect("o", [rule("r", port(7), TO_P2), rule("t", port(8), TO_P2)]),
        redirect("o", [rule("r", port(7), TO_P2)], protect=Protect.LINK),
    ],
)
def test_digest_follows_the_shape(changed: XdpRedirect) -> None:
    before = laid(rule("r", port(7), TO_P2))
    assert layout_of([changed], host(LINKS)).digest != before.digest


def test_digest_follows_the_sources() -> None:
    wish = [redirect("o", [rule("r", port(7), TO_P2)])]
    before = layout_of(wish, host(LINKS))
    assert before.digest == layout_of(wish, host(LINKS)).digest
    moved = layout_of(wish, host(LINKS), taken={8: ("other", "rule")})
    assert moved.slots == {("o", "r"): 9}
    assert moved.digest != before.digest


def test_main_program_comes_last() -> None:
    layout = laid(rule("r", port(7), CPUs(set=(Range(0, 1),))))
    assert layout.programs[-1].name == "redirect"
    numbers = [wanted.number for wanted in layout.maps]
    assert numbers == sorted(set(numbers))


SOCKETS = Sockets(queues=(Range(0, 3), Range(8, 8)), users=("65534",))


def test_sockets_have_a_map_that_is_kept_and_named_after_the_slot() -> None:
    layout = laid(rule("other", port(7), Drop()), rule("r", port(8), SOCKETS))
    (kept,) = [m for m in layout.maps if m.kept]
    slot = layout.slots["o", "r"]
    assert (kept.spec.name, kept.spec.type, kept.entries) == (f"sockets{slot}", MapType.XSKMAP, {})
    assert layout.targets["o", "r"] == ("queues 0-3", "queue 8")
    assert Place(map=kept.spec.name, first=0, count=1 << 32, rule=("o", "r")) in layout.places


def test_whom_sockets_are_for_is_no_matter_of_the_program() -> None:
    others = Sockets(queues=SOCKETS.queues, users=("0",), access=SocketAccess.RECEIVE_TRANSMIT)
    before = laid(rule("r", EVERYTHING, SOCKETS))
    assert laid(rule("r", EVERYTHING, others)).digest == before.digest
    fewer = Sockets(queues=(Range(0, 3),), users=SOCKETS.users)
    assert laid(rule("r", EVERYTHING, fewer)).digest != before.digest


def test_maps_of_all_kinds_fit_into_one_program() -> None:
    kinds = (SOCKETS, Broadcast(devices=("p2",)), CPUs(set=(Range(0, 1),)))
    rules = [rule(f"r{n}", port(n), kinds[n % 3]) for n in range(60)]
    with pytest.raises(LayoutConflict, match="more than 45 maps of Broadcast, CPUs"):
        laid(*rules)
    most = [rule(f"s{n}", port(n), SOCKETS) for n in range(20)]
    assert sum(m.kept for m in laid(*most).maps) == 20
    with pytest.raises(LayoutConflict, match="more than 20 Sockets rules on p1"):
        laid(*most, rule("s20", port(20), SOCKETS))
