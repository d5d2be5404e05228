"""Fixtures of the cluster tests: one control plane for the run, and a check for residue."""

import os
from collections.abc import Iterator

import pytest

from tests.cluster.arena import Arena
from tests.cluster.cluster import Cluster
from tests.cluster.installed import install
from tests.cluster.kwok import Kwok
from tests.cluster.nodes import Nodes
from tests.cluster.tidy import nothing_left
from tests.cluster.wire import Wire
from tests.kernel.lab import Lab
from tests.kernel.lab.sweep import sweep


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
    if "arena" in request.fixturenames:
        # Shared by the tests of a module, and looked after for all of them.
        yield
        return
    # Only a test with hosts can load programs.
    with nothing_left(cluster, loads="lab" in request.fixturenames):
        yield


@pytest.fixture(scope="module")
def arena(
    cluster: Cluster, installed: Cluster, kwok: Kwok, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Arena]:
    """One installation for all tests of a module that break it in one way or another."""
    with nothing_left(cluster, loads=True), Arena(kwok, tmp_path_factory.mktemp("arena")) as made:
        yield made


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
