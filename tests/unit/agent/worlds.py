"""What may be wanted and be there, and passes over it on a `model_kernel`.

For test_plan_property and test_plan_steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.unit.agent.model_kernel import FOREIGN, ModelKernel
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
from xdpredirect.host import Host

INGRESS = ("p1", "p2")


TARGETS = ("t1", "t2", "t3")


@dataclass(frozen=True)
class World:
    """What is wanted, and the machine: name -> ifindex of the devices that are there."""

    redirects: tuple[XdpRedirect, ...]
    sets: tuple[XdpAddressSet, ...]
    devices: tuple[tuple[str, int], ...]


def table(names: list[str], key_by: KeyBy) -> DeviceTable:
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
    st.tuples(NAMES, st.sampled_from((KeyBy.VLAN, KeyBy.SOURCE_MAC))).map(lambda a: table(*a)),
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


def walk(path: list[World]) -> ModelKernel:
    kernel, before = ModelKernel(), None
    for world in path:
        enter(world, kernel, before)
        converge(world, kernel)
        before = world
    return kernel


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


def on(*devices: tuple[str, int]) -> World:
    to_t1 = redirect("A", [rule("a", port(7), ToDevice(name="t1"))], ("p*",))
    return World(redirects=(to_t1,), sets=(), devices=(*devices, ("t1", 10)))
