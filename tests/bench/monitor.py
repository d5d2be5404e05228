"""What the drop monitor costs: a frame that gets through, a frame that is lost, and the agent.

The same program sends live frames with the monitor attached and without, turn and turn about.
Called by `__main__`.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.bench import bare, objects
from tests.bench.sample import (
    Samples,
    Spread,
    differences,
    fastest,
    ratios,
    spread,
    take_turns,
)
from tests.bench.testrun import on_cpu
from tests.kernel.bytecode import redirect_map
from tests.kernel.lab import Lab
from tests.kernel.loaded import a_host
from tests.kernel.scene import Scene, monitored, netns_of
from xdpredirect.agent.ledger import Ledger, Reading, fold
from xdpredirect.agent.losses import Scene as Known
from xdpredirect.agent.meanings import (
    InterfaceMeaning,
    MapMeaning,
    Meanings,
    RuleMeaning,
    Section,
)
from xdpredirect.datapath.mapspec import MapType
from xdpredirect.host import XdpMode
from xdpredirect.kernel.maps import Map, create_map
from xdpredirect.kernel.programs import create_link
from xdpredirect.kernel.tracer import KEY, LOSSES, SLOTS, read_losses

TURN = 1 << 21
PARTS = 4
"""Frames a turn: some 25 ms."""
KEYS = 10_000
_PROGRAM, _MAP, _INGRESS = 7, 8, 2
_MILLISECONDS = 1e3


def frames(rounds: int) -> dict[str, Spread]:
    """Time of the success path with the monitor over without, and nanoseconds a lost frame."""
    with Lab() as lab, ExitStack() as stack:
        scene = Scene(lab, stack, monitor=False)
        through = _path(scene, stack, "p2", "b")
        refused = _path(scene, stack, "p3", "c")
        scene.dut.ip("link", "set", "p3", "down")

        def turns(watched: bool) -> dict[str, float]:
            with _watching(scene, watched):
                return {
                    "through": _nanoseconds(scene, through),
                    "lost": _nanoseconds(scene, refused),
                }

        samples: Samples = {}
        for number in range(rounds + 1):
            # Which of the two comes first changes, for a machine also changes within a round.
            for watched in (number % 2 == 0, number % 2 == 1):
                for name, value in turns(watched).items():
                    if number:
                        samples.setdefault(f"{name}/{'on' if watched else 'off'}", []).append(value)
    ratio = ratios(samples, "through/on", "through/off")
    return {
        "monitor.success": Spread(*(100 * (x - 1) for x in (ratio.value, ratio.low, ratio.high))),
        "monitor.lost": differences(samples, "lost/on", "lost/off"),
        "monitor.lost-in-all": spread(samples["lost/on"]),
    }


@contextmanager
def _watching(scene: Scene, watched: bool) -> Iterator[None]:
    if not watched:
        yield
        return
    with monitored(scene.dut.bpffs / "monitor", netns_of(scene.dut)):
        yield


def _path(scene: Scene, stack: ExitStack, name: str, far: str) -> int:
    """A program that sends every frame out of a new port whose peer drops it."""
    target = scene.wire(name, far)
    peer = scene.peers[name]
    sink, _ = stack.enter_context(bare.sink())
    with peer.host.enter():
        stack.callback(os.close, create_link(sink, peer.ifindex, False))
    return scene.load(redirect_map(scene.devices({0: target}).fd))


def _nanoseconds(scene: Scene, program: int) -> float:
    part = TURN // PARTS

    def send() -> float:
        began = time.perf_counter_ns()
        bare.send(program, objects.frame(), part)
        return (time.perf_counter_ns() - began) / part

    with scene.dut.enter(), on_cpu(0):
        return fastest(send, PARTS)()


def reading(rounds: int) -> dict[str, Spread]:
    """Milliseconds to read KEYS causes out of the kernel and to add them to the ledger."""
    with create_map(LOSSES) as losses, create_map(SLOTS) as slots:
        _fill(losses)
        known = Known(_meanings(), a_host())
        samples = take_turns({"read": lambda: _read((losses, slots), known)}, rounds)
    return {"monitor.read": spread(samples["read"])}


def _fill(losses: Map) -> None:
    each = losses.value_octets // 8
    for index in range(KEYS):
        key = KEY.pack(1, _PROGRAM, _MAP, index, _INGRESS, 3, 100)
        losses.put(key, (index + 1).to_bytes(8, sys.byteorder) * each)


def _read(maps: tuple[Map, Map], known: Known) -> float:
    """One pass of a busy agent: every count grew since the last one."""
    before = Ledger(monitor="bench")
    began = time.perf_counter()
    counts = read_losses(*maps)
    after = fold(
        before, Reading(monitor="bench", counts=counts, counters={}, time=1, now=""), known
    )
    took = (time.perf_counter() - began) * _MILLISECONDS
    assert len(counts) == KEYS
    assert sum(total.packets for total in after.totals.values()) == sum(counts.values())
    return took


def _meanings() -> Meanings:
    rule = RuleMeaning(object="o", rule="r", on_miss="Drop", devices=(3,))
    section = Section(first=0, count=KEYS, object="o", rule="r")
    there = MapMeaning(
        id=_MAP, interface="p1", name="devices", type=MapType.DEVMAP, sections=(section,)
    )
    ingress = InterfaceMeaning(name="p1", ifindex=_INGRESS, mode=XdpMode.NATIVE, rules=(rule,))
    return Meanings(
        maps={_MAP: there},
        programs={_PROGRAM: "p1"},
        interfaces={_INGRESS: ingress},
        links={_INGRESS: "p1", 3: "p2"},
    )
