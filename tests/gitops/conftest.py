"""Fixtures of the GitOps tests: an empty cluster, Argo CD, and the product as Argo CD installs it.

All of it is there once for the run. The pods of the chart are simulated (kwok); operator and agents
run as processes, the agents on nodes whose NICs carry frames.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.fleet import PLURAL, Fleet
from tests.cluster.kwok import Kwok
from tests.cluster.nodes import Nodes
from tests.cluster.tidy import nothing_left
from tests.gitops.application import Application
from tests.gitops.argo import Argo
from tests.gitops.manifests import LABEL, NETWORK, manifest, product_repository
from tests.gitops.page import INSTALL, Page
from tests.gitops.repository import Repository
from tests.kernel.lab import Lab
from tests.kernel.lab.sweep import sweep

# Where the pods of the chart are.
WORKERS = ("worker-a", "worker-b")
# Where frames are.
NODES = ("node-a", "node-b")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A control plane that knows no kind of ours."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces; run `sudo make test-gitops`")
    sweep()
    with Cluster(crds=None) as made:
        yield made


@pytest.fixture(scope="session")
def network_repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The Git repository of the network's team, as docs/gitops says: one directory of objects."""
    return Repository(tmp_path_factory.mktemp("git") / "network")


@pytest.fixture(scope="session")
def argo(cluster: Cluster) -> Argo:
    """Argo CD as it comes, which knows nothing of our kinds."""
    made = Argo(cluster)
    made.start()
    return made


@pytest.fixture(scope="session")
def kwok(cluster: Cluster) -> Kwok:
    """Simulated kubelets, two of which take the pods of the chart."""
    made = Kwok(cluster)
    made.register(WORKERS)
    return made


@pytest.fixture(scope="session")
def product(
    argo: Argo,
    kwok: Kwok,
    network_repository: Repository,
    tmp_path_factory: pytest.TempPathFactory,
) -> Application:
    """The Application of the chart as the page installs it, there for the rest of the run."""
    chart = product_repository(tmp_path_factory.mktemp("git"))
    urls = {**chart, NETWORK: network_repository.url}
    Page(argo.cluster, tmp_path_factory.mktemp("page"), urls).follow(INSTALL)
    made = Application(argo, manifest("argocd/product.yaml", chart))
    made.until(sync="Synced", health="Healthy")
    return made


@pytest.fixture(scope="session")
def site(product: Application, kwok: Kwok) -> Iterator[Fleet]:
    """Two nodes with agents, and an operator, with the roles and policies of the chart."""
    cluster = product.argo.cluster
    with ExitStack() as stack:
        stack.enter_context(nothing_left(cluster, loads=True))
        lab = stack.enter_context(Lab())
        nodes = Nodes(kwok, lab)
        stack.callback(nodes.close)
        made = Fleet(nodes, lab, *NODES)
        cluster.kubectl("label", "node", *NODES, "=".join(LABEL))
        yield stack.enter_context(made)


@pytest.fixture
def fleet(site: Fleet) -> Iterator[Fleet]:
    """The same for one test, which leaves no object and no datapath behind."""
    for station in site.stations.values():
        # After ten changes an agent reports one in ten seconds; those before were not this test's.
        station.node.agent.stop()
        station.node.agent.start()
    yield site
    left = site.wire.names(PLURAL)
    for name in left:
        # The next test is not to be blamed for it.
        site.wire.erase(PLURAL, name)
    assert left == []
