"""The planner against a model of the kernel: cut off after any action, or in the middle of one, the
next plan leads to the same end, and on the way nothing that runs loses what it needs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.agent.model_kernel import FOREIGN, Hook, ModelKernel
from tests.unit.datapath.samples import EVERYTHING, address_set, host, link, port, redirect, rule
from xdpredirect.agent.actions import Action as PlannedAction
from xdpredirect.agent.desired import desire
from xdpredirect.agent.effective import Effective, effective
from xdpredirect.agent.plan import plan_interface, plan_removal
from xdpredirect.agent.renames import plan_renames, waits_for_return
from xdpredirect.api.action import (
    Action,
    Broadcast,
    CPUs,
    DeviceEntry,
    DeviceGroup,
    DeviceTable,
    Drop,
    GroupMember,
    KeyBy,
    Sockets,
    TableKey,
    ToDevice,
)
from xdpredirect.api.match import Match, Range
from xdpredirect.api.redirect import Mode, XdpAddressSet, XdpRedirect
from xdpredirect.datapath.abi import U32
from xdpredirect.datapath.mapspec import MapType
from xdpredirect.host import Host, XdpMode

INGRESS = ("p1", "p2")
TARGETS = ("t1", "t2", "t3")


@dataclass(frozen=True)
class World:
    """What is wanted, and the machine: name -> ifindex of the devices that are there."""

    redirects: tuple[XdpRedirect, ...]
    sets: tuple[XdpAddressSet, ...]
    devices: tuple[tuple[str, int], ...]


def _table(names: list[str], key_by: KeyBy) -> DeviceTable:
    keys: dict[KeyBy, Sequence[TableKey]] = {
        KeyBy.VLAN: range(100, 110),
        KeyBy.SOURCE_MAC: [bytes([2, 0, 0, 0, 0, n]) for n in range(9)],
    }
    entries = zip(keys[key_by], names, strict=False)
    return DeviceTable(
        key_by=key_by,
        entries=tuple(DeviceEntry(text=str(key), key=key, device=name) for key, name in entries),
    )


NAMES = st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3, unique=True)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.just(Drop()),
    st.sampled_from(TARGETS).map(lambda name: ToDevice(name=name)),
    NAMES.map(lambda names: DeviceGroup(members=tuple(GroupMember(name=n) for n in names))),
    NAMES.map(lambda names: Broadcast(devices=tuple(names))),
    st.tuples(NAMES, st.sampled_from((KeyBy.VLAN, KeyBy.SOURCE_MAC))).map(lambda a: _table(*a)),
    st.integers(0, 3).map(lambda last: CPUs(set=(Range(0, last),))),
    st.integers(0, 3).map(lambda last: Sockets(queues=(Range(0, last),), users=("65534",))),
)
MATCHES = st.sampled_from((EVERYTHING, port(7), Match(source_address_sets=("s",))))


@st.composite
def objects(draw: st.DrawFn, name: str) -> XdpRedirect:
    rules = draw(st.lists(st.tuples(MATCHES, ACTIONS), min_size=1, max_size=3))
    named = draw(st.permutations(("a", "b", "c")))
    interfaces = draw(st.sampled_from((("p1",), ("p1", "p2"), ("p*",))))
    mode = draw(st.sampled_from((Mode.NATIVE, Mode.NATIVE, Mode.GENERIC, Mode.AUTO)))
    made = [rule(named[n], match, action) for n, (match, action) in enumerate(rules)]
    return redirect(name, made, interfaces, mode)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    redirects = [draw(objects(name)) for name in draw(st.sets(st.sampled_from("AB"), min_size=1))]
    cidrs = draw(st.sets(st.sampled_from([f"10.{n}.0.0/16" for n in range(4)] + ["10.0.0.0/8"])))
    indexes = draw(st.sampled_from(((1, 2), (1, 2), (2, 1), (9, 2))))
    present = draw(st.sets(st.sampled_from(TARGETS)))
    moved = draw(st.sampled_from((10, 10, 20)))
    targets = [(name, moved + n) for n, name in enumerate(TARGETS) if name in present]
    return World(
        redirects=tuple(redirects),
        sets=(address_set("s", sorted(cidrs)),),
        devices=(*zip(INGRESS, indexes, strict=True), *targets),
    )


def machine(world: World, kernel: ModelKernel) -> Host:
    return host(kernel.dressed(link(ifindex, name)) for name, ifindex in world.devices)


def enter(world: World, kernel: ModelKernel, before: World | None) -> None:
    """Devices come, go and are renamed; the kernel cleans up behind them."""
    here = {ifindex for _, ifindex in world.devices}
    for _, ifindex in before.devices if before else ():
        if ifindex not in here:
            kernel.remove_device(ifindex)


def plan(world: World, kernel: ModelKernel) -> Iterator[PlannedAction]:
    """The actions of a pass, in its order; each was carried out when the next is asked for."""
    names = {ifindex: name for name, ifindex in world.devices}
    yield from plan_renames(kernel.observe(), names)
    seen, there = kernel.observe(), machine(world, kernel)
    desired = desire(effective(world.redirects, world.sets, {}, {}), there, seen, "sources")
    for name, item in desired.interfaces.items():
        hook = kernel.hooks.get(item.wanted.link.ifindex)
        if hook is not None and hook.program == FOREIGN:
            continue
        kernel.layouts[name] = item.layout
        yield from plan_interface(item.wanted, item.layout, seen.interfaces.get(name))
    chosen = Effective(redirects=world.redirects, sets={}, findings=(), held=frozenset())
    for name, interface in seen.interfaces.items():
        if name not in desired.interfaces and not waits_for_return(interface, there, chosen):
            yield from plan_removal(interface)


def converge(world: World, kernel: ModelKernel, stop_after: int = -1, half: bool = False) -> int:
    """Runs a pass, or its first actions; returns how many were carried out."""
    done = 0
    for action in plan(world, kernel):
        last = done == stop_after
        if last and not half:
            return done
        kernel.perform(action, half=last)
        if last:
            return done
        done += 1
    return done


def end_of(kernel: ModelKernel) -> object:
    """Everything that counts in the end, without the numbers that differ from run to run."""
    return {
        name: (
            directory.link,
            sorted(directory.slots.values()),
            {
                digest: {
                    key: entries
                    for key, (_, _, entries) in generation.maps.items()
                    if key != "generation"
                }
                for digest, generation in directory.generations.items()
            }
            if directory.link
            else None,
            kernel.hooks[directory.link].mode if directory.link else None,
        )
        for name, directory in kernel.directories.items()
    }


def assert_caches_are_right(kernel: ModelKernel) -> None:
    for directory in kernel.directories.values():
        for generation in directory.generations.values() if directory.link else ():
            for number, index in generation.cached:
                stale = number == generation.number() and number != bytes(4)
                assert not stale or index == generation.index(), "a cache holds what was removed"


PATHS = st.lists(worlds(), min_size=2, max_size=3)
SLOW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def walk(path: list[World]) -> ModelKernel:
    kernel, before = ModelKernel(), None
    for world in path:
        enter(world, kernel, before)
        converge(world, kernel)
        before = world
    return kernel


@SLOW
@given(PATHS)
def test_a_converged_state_needs_nothing(path: list[World]) -> None:
    kernel = walk(path)
    assert list(plan(path[-1], kernel)) == []
    assert_caches_are_right(kernel)


@SLOW
@given(PATHS, st.integers(0, 40), st.booleans())
def test_any_prefix_then_again_leads_to_the_same_end(
    path: list[World], stop: int, half: bool
) -> None:
    assert_recovers(path, stop, half)


def assert_recovers(path: list[World], stop: int, half: bool) -> bool:
    """Cut off after `stop` actions of the last step, then converged: the same end as without the
    accident. Returns whether there were so many actions."""
    expected = end_of(walk(path))
    kernel = walk(path[:-1])
    enter(path[-1], kernel, path[-2])
    done = converge(path[-1], kernel, stop_after=stop, half=half)
    converge(path[-1], kernel)
    # Rules may count in other slots after an accident; what is there is the same.
    assert sorted(end_of(kernel)) == sorted(expected)  # type: ignore[call-overload]
    assert list(plan(path[-1], kernel)) == []
    assert_caches_are_right(kernel)
    for name, directory in kernel.directories.items():
        if directory.link:
            kernel._complete(name, kernel.layouts[name].digest)
            assert set(directory.generations) == {kernel.layouts[name].digest}
            assert set(directory.slots) == set(kernel.layouts[name].slots.values())
    return done == stop


@SLOW
@given(st.lists(worlds(), min_size=2, max_size=2), st.integers(0, 60), st.integers(0, 60))
def test_two_crashes_and_a_changed_mind(path: list[World], first: int, second: int) -> None:
    kernel = walk(path[:1])
    enter(path[1], kernel, path[0])
    converge(path[1], kernel, stop_after=first, half=True)
    enter(path[0], kernel, path[1])
    converge(path[0], kernel, stop_after=second)
    converge(path[0], kernel)
    assert list(plan(path[0], kernel)) == []
    assert_caches_are_right(kernel)


@SLOW
@given(worlds())
def test_deleting_every_object_leaves_nothing(world: World) -> None:
    kernel = walk([world])
    converge(World(redirects=(), sets=(), devices=world.devices), kernel)
    assert not kernel.directories
    assert not kernel.hooks


@SLOW
@given(PATHS)
def test_a_foreign_program_is_left_alone(path: list[World]) -> None:
    """The other interface goes on."""
    kernel = ModelKernel(hooks={1: Hook(FOREIGN, XdpMode.NATIVE)})
    world = path[0]
    converge(world, kernel)
    assert kernel.hooks[1] == Hook(FOREIGN, XdpMode.NATIVE)
    wanted = walk([world])
    assert kernel.hooks.keys() == wanted.hooks.keys() | {1}


def _on(*devices: tuple[str, int]) -> World:
    to_t1 = redirect("A", [rule("a", port(7), ToDevice(name="t1"))], ("p*",))
    return World(redirects=(to_t1,), sets=(), devices=(*devices, ("t1", 10)))


def test_exchanged_names_keep_their_programs_and_counters() -> None:
    kernel = walk([_on(("p1", 1), ("p2", 2))])
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
        kernel = walk([_on(("p1", 1), ("p2", 2))])
        programs = {ifindex: hook.program for ifindex, hook in kernel.hooks.items()}
        turned = _on(("p2", 1), ("p1", 2))
        converge(turned, kernel, stop_after=stop)
        converge(turned, kernel)
        assert {i: h.program for i, h in kernel.hooks.items()} == programs
        assert {name: d.link for name, d in kernel.directories.items()} == {"p2": 1, "p1": 2}


def test_device_gone_in_the_middle_of_a_rename_leaves_nothing() -> None:
    kernel = walk([_on(("p1", 1), ("p2", 2))])
    converge(_on(("p3", 1), ("p2", 2)), kernel, stop_after=1)
    assert "1 moving" in kernel.directories
    kernel.remove_device(1)
    converge(_on(("p2", 2)), kernel)
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
KEYS = _table(["t1", "t2", "t3"], KeyBy.SOURCE_MAC)
SOCKETS = Sockets(queues=(Range(0, 3),), users=("65534",))
FEWER_SOCKETS = Sockets(queues=(Range(0, 1),), users=("0",))
FEWER_KEYS = _table(["t3", "t1"], KeyBy.SOURCE_MAC)


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
        pytest.param(_on(("p1", 1), ("p2", 2)), _on(("p2", 1), ("p1", 2)), id="exchange"),
        pytest.param(_on(("p1", 1), ("p2", 2)), _on(("p1", 5), ("p2", 2)), id="recreate"),
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
