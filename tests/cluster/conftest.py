"""Fixtures of the cluster tests: one control plane for the run, and a check for residue."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.installed import install
from tests.cluster.kwok import Kwok
from tests.cluster.nodes import Nodes
from tests.cluster.wire import Wire
from tests.kernel.lab import Lab, residue
from tests.kernel.lab.sweep import sweep
from tests.kernel.lab.turn import turn

# What belongs to a deleted Node goes a little later.
GRACE_SECONDS = 30.0
KINDS = ("xdpredirects", "xdpaddresssets", "xdpredirectnodes")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A control plane with the CRDs of this checkout, the same for all tests of the run."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces; run `sudo make test-cluster`")
    sweep()
    with Cluster() as made:
        yield made


@pytest.fixture(scope="session")
def installed(cluster: Cluster) -> Cluster:
    """The same cluster with namespace, roles and policies of config/."""
    install(cluster)
    return cluster


@pytest.fixture(scope="session")
def kwok(cluster: Cluster) -> Kwok:
    """Simulated kubelets for the rest of the run."""
    return Kwok(cluster)


@pytest.fixture(autouse=True)
def _no_residue(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[None]:
    """Fails a test that leaves anything behind, naming it; runs around all its other fixtures."""
    # Only a test with hosts can load programs. The others need not wait for those of another run.
    loads = "lab" in request.fixturenames
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


@pytest.fixture
def wire(cluster: Cluster) -> Wire:
    """The admin's bare requests."""
    return Wire(cluster)


@pytest.fixture
def lab(_no_residue: None) -> Iterator[Lab]:
    """Hosts and wires of one test."""
    with Lab() as made:
        yield made


@pytest.fixture
def nodes(installed: Cluster, kwok: Kwok, lab: Lab) -> Iterator[Nodes]:
    """Namespace nodes of one test, on which real agents run."""
    made = Nodes(kwok, lab)
    try:
        yield made
    finally:
        made.close()
