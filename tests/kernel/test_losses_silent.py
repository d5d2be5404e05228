"""Frames that no tracepoint shows: held silent, and what a rule's own counter says of them."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.kernel.bytecode import XDP_DROP, XDP_PASS, redirect_map
from tests.kernel.conformance import SILENT
from tests.kernel.explained import counted_by_rule
from tests.kernel.lab import Lab
from tests.kernel.scene import Scene

N = 1000
KEY = 3
BROADCAST, EXCLUDE_INGRESS = 8, 16


def miss_dropped(s: Scene) -> None:
    s.run(redirect_map(s.devices({}).fd, KEY, XDP_DROP))


def miss_passed(s: Scene) -> None:
    s.run(redirect_map(s.devices({}).fd, KEY, XDP_PASS))


def broadcast_to_nobody(s: Scene) -> None:
    s.run(redirect_map(s.devices({}).fd, 0, BROADCAST))


def broadcast_back_only(s: Scene) -> None:
    s.run(redirect_map(s.devices({0: s.ingress}).fd, 0, BROADCAST | EXCLUDE_INGRESS))


def broadcast_to_those_down(s: Scene) -> None:
    s.run(redirect_map(s.devices({0: s.wire("p2", "b")}).fd, 0, BROADCAST))
    s.dut.ip("link", "set", "p2", "down")


def generic_loopback(s: Scene) -> None:
    """A redirect to lo succeeds in generic mode: what becomes of the frame there is the stack's."""
    s.dut.ip("link", "set", "lo", "up")
    s.run(redirect_map(s.devices({0: s.port("lo")}).fd), generic=True)


QUIET = (
    ("veth: key absent, XDP_DROP in the flags", miss_dropped),
    ("veth: key absent, XDP_PASS in the flags", miss_passed),
    ("veth: broadcast to an empty map", broadcast_to_nobody),
    ("veth: broadcast to the ingress only, which is excluded", broadcast_back_only),
    ("veth: broadcast to members that are down", broadcast_to_those_down),
    ("generic: redirect to lo", generic_loopback),
)


@pytest.mark.parametrize(("name", "make"), QUIET, ids=[name for name, _ in QUIET])
def test_no_event_shows_it(lab: Lab, name: str, make: Callable[[Scene], None]) -> None:
    """Which is why rules count them on their own, or a finding says so beforehand."""
    with ExitStack() as stack:
        scene = Scene(lab, stack)
        make(scene)
        scene.source.send([scene.frame()] * N)
        scene.lost({})
        counted_by_rule(scene, SILENT[name])
