"""Nanoseconds per frame by BPF_PROG_TEST_RUN, relative to a bare redirect_map program.

Both programs run in turns on the same CPU over the same frame. Called by `__main__`.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tests.bench import bare, objects
from tests.bench.sample import Samples, fastest, take_turns
from tests.kernel.loaded import LOOPBACK, Loaded, a_host, loaded
from xdpredirect.api.redirect import Protect, Rule, XdpAddressSet
from xdpredirect.host import Host
from xdpredirect.kernel.programs import run_program

REPEAT = 200_000
PARTS = 10
RULES = (1, 8, 32, 128)
SET_SIZES = (1_000, 10_000, 100_000)
# Addresses of the index's per-CPU cache: 4096 slots for sources.
CACHE_BITS = 12
GOLDEN = 0x9E3779B97F4A7C15
FLOWS = 64
MANY = 1 << 16

Subjects = dict[str, Callable[[], float]]


@contextmanager
def on_cpu(number: int) -> Iterator[None]:
    """The calling thread stays on one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def runner(program: int, frame: bytes, repeat: int = REPEAT) -> Callable[[], float]:
    """Measures ns per frame of `program`."""
    part = repeat // PARTS
    return fastest(lambda: float(run_program(program, frame, repeat=part).nanoseconds), PARTS)


def _checked(program: Loaded, frame: bytes) -> Loaded:
    """A frame that no rule takes would be cheap, and measure nothing."""
    verdict = program.run(frame).verdict
    if verdict != 4:
        raise RuntimeError(f"the program said {verdict} where a redirect was to be measured")
    return program


def _program(
    stack: ExitStack, rules: list[Rule], frame: bytes, sets: list[XdpAddressSet] | None = None
) -> Loaded:
    program = stack.enter_context(loaded([objects.redirect(rules)], sets or []))
    return _checked(program, frame)


def rules(rounds: int) -> Samples:
    """Sets of 5-tuple rules of which the last is hit, and spreads."""
    with ExitStack() as stack:
        stack.enter_context(on_cpu(0))
        first = objects.frame()
        yardstick = stack.enter_context(bare.redirect_map())
        subjects: Subjects = {"bare": runner(yardstick, first)}
        for count in RULES:
            last = objects.frame(objects.FIRST_PORT + count - 1)
            program = _program(stack, objects.five_tuples(count), last)
            subjects[f"rules/{count}"] = runner(program.program, last)
        everything = _program(stack, objects.everything(), first)
        subjects["device"] = runner(everything.program, first)
        plain = _program(stack, objects.flows(), first)
        subjects["spread-base"] = runner(plain.program, first)
        for name, action in (("cpus", objects.cpus(1)), ("devices", objects.devices())):
            program = _program(stack, objects.flows(action), first)
            subjects[f"spread/{name}"] = runner(program.program, first)
        return take_turns(subjects, rounds)


def mixed(rounds: int) -> Samples:
    """128 rules that are hit in turns, by frames to each of their ports.

    The average over the ports: each is measured by itself, for a shorter time.
    """
    frames = [objects.frame(objects.FIRST_PORT + number) for number in range(0, 128, 4)]
    with ExitStack() as stack:
        stack.enter_context(on_cpu(0))
        yardstick = stack.enter_context(bare.redirect_map())
        program = _program(stack, objects.five_tuples(128), frames[0])
        repeat = REPEAT // 16

        def average(fd: int) -> float:
            return sum(runner(fd, one, repeat)() for one in frames) / len(frames)

        return take_turns(
            {"bare": lambda: average(yardstick), "rules/mix": lambda: average(program.program)},
            rounds,
        )


def _slot(address: bytes) -> int:
    """Where the index's cache keeps an address: bpf/addresses.h cache_slot."""
    number = int.from_bytes(address, "little")
    return (number * GOLDEN & (1 << 64) - 1) >> (64 - CACHE_BITS)


def colliding(addresses: list[bytes], count: int) -> list[bytes]:
    """`count` distinct addresses that all want one slot of the cache, so that each misses."""
    by_slot: dict[int, list[bytes]] = {}
    for address in dict.fromkeys(addresses):
        found = by_slot.setdefault(_slot(address), [])
        found.append(address)
        if len(found) == count:
            return found
    raise RuntimeError("too few addresses to collide")


def sets(rounds: int, sizes: tuple[int, ...] = SET_SIZES) -> Samples:
    """One rule with address sets. `cached`: 64 flows. `uncached`: addresses that evict each other
    from the index's cache, each looked up in the trie. `many`: 65536 addresses, most of which
    neither our cache nor the processor's holds."""
    with ExitStack() as stack:
        stack.enter_context(on_cpu(0))
        yardstick = stack.enter_context(bare.redirect_map())
        subjects: Subjects = {}
        frame = objects.frame()
        for size in sizes:
            made = objects.address_sets(size)
            addresses = objects.members(made, MANY)
            rules = objects.from_sets(*(one.name for one in made))
            program = _program(stack, rules, objects.frame(source=addresses[0]), made)
            kinds = {
                "cached": addresses[:FLOWS],
                "uncached": colliding(objects.members(made, 1 << 17), 8),
                "many": addresses,
            }
            for kind, chosen in kinds.items():
                for name, target in (("bare", yardstick), ("set", program.program)):
                    fd = stack.enter_context(bare.scrambled(target, chosen))
                    subjects[f"{name}/{size}/{kind}"] = runner(fd, frame)
        return take_turns(subjects, rounds)


def _addressed(count: int) -> Host:
    """A machine with `count` local addresses, none of them the frame's."""
    addresses = tuple(bytes((192, 0, 2, n)) if n % 2 else bytes((192, 0, 2, n)) + bytes(12)
                      for n in range(1, count + 1))  # fmt: skip
    lo = LOOPBACK
    link = type(lo)(
        ifindex=lo.ifindex, name=lo.name, mac=lo.mac, up=True, mtu=lo.mtu, features=lo.features,
        addresses=addresses,
    )  # fmt: skip
    return a_host((link,))


def protect(rounds: int) -> Samples:
    """The eight 5-tuple rules under protect None and Node, with few and many local addresses."""
    frame = objects.frame()
    rules = objects.five_tuples(8)
    with ExitStack() as stack:
        stack.enter_context(on_cpu(0))
        subjects: Subjects = {}
        for name, kind, addresses in (
            ("none", Protect.NONE, 4),
            ("few", Protect.NODE, 4),
            ("many", Protect.NODE, 64),
        ):
            made = [objects.redirect(rules, protect=kind)]
            program = stack.enter_context(loaded(made, [], _addressed(addresses)))
            subjects[f"protect/{name}"] = runner(_checked(program, frame).program, frame)
        return take_turns(subjects, rounds)
