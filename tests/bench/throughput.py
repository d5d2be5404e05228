"""Frames a second through real interfaces, ours and xdp-bench in turns.

Every subject has a street of its own: CPU 0 of `gen` makes frames, `dut` redirects them from p1 to
p2 or to CPU 1, and what arrives behind it is counted. All programs stay attached, so that turns can
be as short as a scheduler's. Called by `__main__`.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.bench import bare, documents, objects, peer
from tests.bench.documents import Document
from tests.bench.sample import Samples, take_turns
from tests.bench.testrun import on_cpu
from tests.kernel.lab import Lab, Port
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.kernel.maps import Map
from xdpredirect.kernel.programs import create_link
from xdpredirect.settings import Settings

TURN = 1 << 15
"""Frames a turn: some 25 ms."""
DRAIN_SECONDS = 0.005
SETTLE_SECONDS = 1.0
TARGET_CPU = 1
TO_DEVICE = ["redirect-map", "p1", "p2", "-i", "1"]
TO_CPU = ["redirect-cpu", "p1", "-c", str(TARGET_CPU), "-i", "1"]


@dataclass(slots=True)
class Street:
    """gen:e0 - p1:dut:p2 - e0:sink, all up. `program` sends, `sunk` counts at the end."""

    source: Port
    arrival: Port
    end: Port
    program: int
    sunk: Map

    def arrived(self) -> int:
        """Frames at the end of the street."""
        return bare.counted(self.sunk)

    def to_stack(self) -> int:
        """Frames that p1 handed to the stack, which drops them at once: not its address."""
        text = self.arrival.host.ip("-s", "-s", "-j", "link", "show", "dev", self.arrival.name)
        return int(json.loads(text)[0]["stats64"]["rx"].get("otherhost", 0))

    def turn(self, counted: Callable[[], int]) -> float:
        """Frames a second that arrive while CPU 0 sends as fast as it can."""
        with self.source.host.enter(), on_cpu(0):
            before, began = counted(), time.perf_counter()
            bare.send(self.program, objects.frame(), TURN)
            took = time.perf_counter() - began
            after = _settled(counted, before)
        if after == before:
            raise RuntimeError(f"no frame arrived behind {self.arrival.host.name}")
        return (after - before) / took


def _settled(counted: Callable[[], int], before: int) -> int:
    """The count when nothing is on its way any more: the other CPU may be busy with something."""
    deadline = time.perf_counter() + SETTLE_SECONDS
    after, now = -1, counted()
    while now != after or (now == before and time.perf_counter() < deadline):
        time.sleep(DRAIN_SECONDS)
        after, now = now, counted()
    return now


@contextlib.contextmanager
def street(lab: Lab, name: str) -> Iterator[Street]:
    """Three hosts in a row; the sink counts and drops."""
    arrival, source = lab.veth((name, "p1"), (f"{name}-gen", "e0"))
    _, end = lab.veth((name, "p2"), (f"{name}-sink", "e0"))
    with bare.sink() as (drop, sunk), bare.redirect_to(source.ifindex) as program:
        with end.host.enter():
            link = create_link(drop, end.ifindex, False)
        try:
            yield Street(source, arrival, end, program, sunk)
        finally:
            os.close(link)


def install(there: Street, rules: Sequence[Document]) -> None:
    """An agent puts the object into the kernel; it goes with the laboratory."""
    host = there.arrival.host
    bpffs = host.bpffs / "xdpredirect"
    bpffs.mkdir()
    settings = Settings(bpffs=bpffs, state_dir=host.state_dir, files=host.state_dir / "objects")
    agent = MachineAgent(settings)
    agent.store.put([documents.redirect(rules)])
    with host.enter():
        outcome = agent.converge()
    if outcome.failures:
        raise RuntimeError("; ".join(outcome.failures))


def measure(rounds: int, builds: int) -> Samples:
    """Frames a second by name of subject. The streets are built anew `builds` times: where their
    memory happens to lie is worth a few per cent."""
    samples: Samples = {}
    for _ in range(builds):
        for name, values in _build(rounds).items():
            samples.setdefault(name, []).extend(values)
    return samples


def _build(rounds: int) -> Samples:
    with contextlib.ExitStack() as stack:
        stack.enter_context(peer.mounted())
        lab = stack.enter_context(Lab())
        streets = {
            name: stack.enter_context(street(lab, name))
            for name in ("peer-map", "device", "rules", "peer-cpu", "cpus")
        }
        install(streets["device"], documents.EVERYTHING)
        install(streets["rules"], documents.five_tuples(8))
        install(streets["cpus"], documents.TO_CPU)
        for name, words in (("peer-map", TO_DEVICE), ("peer-cpu", TO_CPU)):
            host = streets[name].arrival.host
            stack.enter_context(peer.xdp_bench(host, "p1", words))
        subjects: dict[str, Callable[[], float]] = {}
        for name, there in streets.items():
            counted = there.to_stack if name in ("cpus", "peer-cpu") else there.arrived
            subjects[name] = lambda there=there, counted=counted: there.turn(counted)  # type: ignore[misc]
        return take_turns(subjects, rounds)
