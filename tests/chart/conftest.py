"""Fixtures of the chart's tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.helm import VERSIONS, Helm
from tests.cluster.cluster import Cluster
from tests.cluster.kwok import Kwok
from tests.kernel.lab import residue
from tests.kernel.lab.sweep import sweep

NODES = ("chart-a", "chart-b")


@pytest.fixture(scope="session", params=VERSIONS)
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Each of the two, without a cluster."""
    home: Path = tmp_path_factory.mktemp(request.param)
    return Helm(request.param, home)


@pytest.fixture(scope="session")
def helm4(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """The newest, for what cannot differ between the two."""
    return Helm("helm", tmp_path_factory.mktemp("helm4"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A control plane that knows no kind of ours: the chart brings them. Two nodes that kwok
    answers for take its pods."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces; run `sudo make test`")
    sweep()
    with Cluster(crds=None) as made:
        kwok = Kwok(made)
        kwok.register(NODES, {"node-role.kubernetes.io/infra": ""})
        yield made


@pytest.fixture(params=VERSIONS)
def connected(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Helm:
    """Each of the two, as the administrator of the cluster."""
    return Helm(request.param, tmp_path, cluster.kubeconfig)


@pytest.fixture(autouse=True)
def _no_residue(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves anything behind on this machine."""
    if "cluster" not in request.fixturenames:
        yield
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    before = residue.take()
    yield
    left = residue.left_since(before, spare=cluster.pids, bpf=False)
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)
