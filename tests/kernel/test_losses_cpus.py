"""Frames on their way to a CPU: xdp_cpumap_enqueue and xdp_cpumap_kthread.

Each row makes one cause for real and holds the drop monitor to every key and count, and the product
to reason and hint.
"""

import errno
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.kernel.bytecode import XDP_ABORTED, XDP_DROP, redirect_map, verdict
from tests.kernel.conformance import TO_CPUS
from tests.kernel.explained import explained
from tests.kernel.lab import Lab
from tests.kernel.scene import Scene, id_of, monopoly
from tests.kernel.test_losses_flush import CPU, Losses, N, event, send
from xdpredirect.kernel.programs import AttachType

REDIRECT_ERR, ENQUEUE, PROGRAM = 1, 5, 7
QSIZE = 64


def cpumap_full(s: Scene) -> Losses:
    cpus = s.cpus(CPU, QSIZE)
    s.run(redirect_map(cpus.fd, CPU))
    with monopoly(CPU):
        send(s)
    return {event(ENQUEUE, map=id_of(cpus), to=CPU): N - QSIZE}


def cpumap_full_generic(s: Scene) -> Losses:
    """Two events for one frame: whoever adds them up counts double."""
    cpus = s.cpus(CPU, QSIZE)
    s.run(redirect_map(cpus.fd, CPU), generic=True)
    with monopoly(CPU):
        send(s)
    refused = event(
        REDIRECT_ERR,
        program=s.program,
        map=id_of(cpus),
        index=CPU,
        origin=s.ingress.ifindex,
        error=errno.ENOSPC,
    )
    return {refused: N - QSIZE, event(ENQUEUE, map=id_of(cpus), to=CPU): N - QSIZE}


def cpumap_program(s: Scene, code: int) -> Losses:
    cpus = s.cpus(CPU, 2048, s.load(verdict(code), AttachType.CPUMAP))
    s.run(redirect_map(cpus.fd, CPU))
    send(s)
    return {event(PROGRAM, map=id_of(cpus), to=CPU): N}


ROWS: tuple[tuple[str, Callable[[Scene], Losses]], ...] = (
    ("veth: CPU queue full", cpumap_full),
    ("generic: CPU queue full", cpumap_full_generic),
    ("veth: CPUMAP program drops", lambda s: cpumap_program(s, XDP_DROP)),
    ("veth: CPUMAP program ABORTED", lambda s: cpumap_program(s, XDP_ABORTED)),
)


@pytest.mark.parametrize(("name", "make"), ROWS, ids=[name for name, _ in ROWS])
def test_the_monitor_names_the_cause(lab: Lab, name: str, make: Callable[[Scene], Losses]) -> None:
    with ExitStack() as stack:
        scene = Scene(lab, stack)
        lost = make(scene)
        scene.lost(lost)
        explained(scene, lost, TO_CPUS[name])
