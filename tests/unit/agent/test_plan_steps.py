"""The planner step by step: renames, few differences, and single plans cut off everywhere."""

import pytest

from tests.unit.agent.model_kernel import ModelKernel
from tests.unit.agent.worlds import World, assert_recovers, converge, on, plan, table, walk
from tests.unit.datapath.samples import EVERYTHING, address_set, redirect, rule
from xdpredirect.agent.renames import plan_renames
from xdpredirect.api.action import (
    Action,
    CPUs,
    DeviceGroup,
    Drop,
    GroupMember,
    KeyBy,
    Sockets,
)
from xdpredirect.api.match import Match, Range
from xdpredirect.api.redirect import Mode
from xdpredirect.datapath.abi import U32
from xdpredirect.datapath.mapspec import MapType


def test_exchanged_names_keep_their_programs_and_counters() -> None:
    kernel = walk([on(("p1", 1), ("p2", 2))])
    before = dict(kernel.hooks)
    kernel.directories["p1"].slots[400] = ("A", "of device 1")
    actions = list(plan_renames(kernel.observe(), {1: "p2", 2: "p1"}))
    for action in actions:
        kernel.perform(action)
    assert kernel.hooks == before
    assert kernel.directories["p2"].slots[400] == ("A", "of device 1")
    assert [str(action) for action in actions] == [
        "p1: rename to 1 moving",
        "p2: rename to 2 moving",
        "1 moving: rename to p2",
        "2 moving: rename to p1",
    ]


def test_exchange_of_names_cut_off_anywhere() -> None:
    for stop in range(5):
        kernel = walk([on(("p1", 1), ("p2", 2))])
        programs = {ifindex: hook.program for ifindex, hook in kernel.hooks.items()}
        turned = on(("p2", 1), ("p1", 2))
        converge(turned, kernel, stop_after=stop)
        converge(turned, kernel)
        assert {i: h.program for i, h in kernel.hooks.items()} == programs
        assert {name: d.link for name, d in kernel.directories.items()} == {"p2": 1, "p1": 2}


def test_device_gone_in_the_middle_of_a_rename_leaves_nothing() -> None:
    kernel = walk([on(("p1", 1), ("p2", 2))])
    converge(on(("p3", 1), ("p2", 2)), kernel, stop_after=1)
    assert "1 moving" in kernel.directories
    kernel.remove_device(1)
    converge(on(("p2", 2)), kernel)
    assert set(kernel.directories) == {"p2"}


def test_only_differing_prefixes_are_written() -> None:
    wish = redirect("A", [rule("a", Match(source_address_sets=("s",)), Drop())])
    cidrs = [f"10.{n}.0.0/16" for n in range(200)]
    one = World((wish,), (address_set("s", cidrs),), (("p1", 1),))
    two = World((wish,), (address_set("s", [*cidrs[1:], "192.0.2.0/24"]),), (("p1", 1),))
    kernel = walk([one])
    assert [str(action) for action in plan(two, kernel)] == [
        "p1: write 1 entry of generation",
        "p1: write 1 entry of lpm4",
        "p1: remove 1 entry of lpm4",
        "p1: write 1 entry of generation",
    ]


def _wish(
    *actions: Action, match: Match = EVERYTHING, mode: Mode = Mode.NATIVE, cidrs: int = 3
) -> World:
    rules = [rule(f"r{n}", match, action) for n, action in enumerate(actions)]
    return World(
        redirects=(redirect("A", rules, ("p1",), mode),),
        sets=(address_set("s", [f"10.{n}.0.0/16" for n in range(cidrs % 10, cidrs)]),),
        devices=(("p1", 1), ("t1", 10), ("t2", 11), ("t3", 12)),
    )


NOTHING = World((), (), _wish().devices)


BY_SET = Match(source_address_sets=("s",))


GROUP = DeviceGroup(members=(GroupMember(name="t1"), GroupMember(name="t2")))


KEYS = table(["t1", "t2", "t3"], KeyBy.SOURCE_MAC)


FEWER_KEYS = table(["t3", "t1"], KeyBy.SOURCE_MAC)


SOCKETS = Sockets(queues=(Range(0, 3),), users=("65534",))


FEWER_SOCKETS = Sockets(queues=(Range(0, 1),), users=("0",))


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(NOTHING, _wish(GROUP, CPUs(set=(Range(0, 1),))), id="create"),
        pytest.param(_wish(GROUP), _wish(Drop(), GROUP, KEYS), id="swap"),
        pytest.param(_wish(GROUP, KEYS), NOTHING, id="delete"),
        pytest.param(
            _wish(Drop(), match=BY_SET, cidrs=9), _wish(Drop(), match=BY_SET, cidrs=24), id="set"
        ),
        pytest.param(
            _wish(Drop(), match=BY_SET, cidrs=9), _wish(Drop(), match=BY_SET, cidrs=7), id="less"
        ),
        pytest.param(_wish(KEYS), _wish(FEWER_KEYS), id="keys"),
        pytest.param(_wish(SOCKETS, GROUP), _wish(FEWER_SOCKETS, Drop()), id="sockets"),
        pytest.param(_wish(GROUP), _wish(GROUP, mode=Mode.GENERIC), id="mode"),
        pytest.param(on(("p1", 1), ("p2", 2)), on(("p2", 1), ("p1", 2)), id="exchange"),
        pytest.param(on(("p1", 1), ("p2", 2)), on(("p1", 5), ("p2", 2)), id="recreate"),
    ],
)
def test_every_prefix_of_a_plan(before: World, after: World, half: bool) -> None:
    stop = 0
    while assert_recovers([before, after], stop, half):
        stop += 1
    assert stop > 0


def _sockets(kernel: ModelKernel) -> dict[bytes, bytes]:
    """What is in the XSKMAP of the running program; there is one."""
    running = kernel.running("p1")
    assert running is not None
    (entries,) = [e for spec, _, e in running[1].maps.values() if spec.type is MapType.XSKMAP]
    return entries


@pytest.mark.parametrize("stop", range(12))
def test_sockets_stay_whenever_a_swap_is_cut_off(stop: int) -> None:
    kernel = walk([_wish(SOCKETS)])
    _sockets(kernel)[U32.pack(1)] = b"sock"
    for world in (_wish(SOCKETS, GROUP), _wish(FEWER_SOCKETS, Drop()), _wish(SOCKETS)):
        converge(world, kernel, stop_after=stop)
        assert _sockets(kernel) == {U32.pack(1): b"sock"}
        converge(world, kernel)
        assert _sockets(kernel) == {U32.pack(1): b"sock"}


def test_a_rule_that_goes_takes_its_sockets_along() -> None:
    kernel = walk([_wish(SOCKETS)])
    _sockets(kernel)[U32.pack(1)] = b"sock"
    for world in (_wish(Drop()), _wish(SOCKETS)):
        converge(world, kernel)
    assert _sockets(kernel) == {}
