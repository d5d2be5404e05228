"""Nothing may be left behind: checked by `conftest` around a test, by `arena` around a module."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.wire import Wire
from tests.kernel.lab import residue
from tests.kernel.lab.turn import turn

# What belongs to a deleted Node goes a little later: after an outage not before the garbage
# collector's watches are back, whose pauses have grown to 30 s and up to twice as long.
GRACE_SECONDS = 120.0
KINDS = ("xdpredirects", "xdpaddresssets", "xdpredirectnodes")


@contextmanager
def nothing_left(cluster: Cluster, *, loads: bool) -> Iterator[None]:
    """Fails a test that leaves anything behind, naming it. With `loads` it may load programs: it
    waits for its turn. The others need not wait for those of another run."""
    with ExitStack() as stack:
        if loads:
            stack.enter_context(turn())
        before = residue.take()
        yield
        left = residue.left_since(before, spare=cluster.pids, bpf=loads)
    wire = Wire(cluster)
    found = objects_left(wire)
    for kind, name in found:
        # The next test is not to be blamed for it.
        wire.erase(kind, name)
    left += [f"{kind}/{name}" for kind, name in found]
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


def objects_left(wire: Wire) -> list[tuple[str, str]]:
    """(kind, name) of our objects that are still there after the garbage collector's turn."""
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        left = [(kind, name) for kind in KINDS for name in wire.names(kind)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)
