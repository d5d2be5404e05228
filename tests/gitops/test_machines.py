"""The whole scene on real nodes: Argo CD installs the product from its chart, kubelets run it, and
what is in Git is what frames do.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.waiting import until
from tests.gitops.application import Application
from tests.gitops.argo import Argo
from tests.gitops.manifests import LABEL, NETWORK, edge, manifest, product_repository
from tests.gitops.page import INSTALL, REMOVE, Page
from tests.gitops.repository import Repository
from tests.image.build import images
from tests.kernel.switch import udp
from tests.node.conftest import nothing_left
from tests.node.machines import Machines

FRAME = udp(7)
EDGE = "redirects/edge.yaml"
REST = "redirects/elsewhere.yaml"
PUBLISHED = "ghcr.io/xdp-redirect"
KINDS = "customresourcedefinitions,daemonsets,deployments,clusterroles,validatingadmissionpolicies"


@pytest.fixture
def machines(machine_cluster: Machines) -> Iterator[Machines]:
    """Real nodes, as a registry with our images would leave them after a pull."""
    made = images()
    machine_cluster.load(made.operator, made.agent)
    names = {"operator": made.operator_name, "agent": made.agent_name}
    for node in machine_cluster.nodes.values():
        for component, name in names.items():
            tag = name.partition(":")[2]
            node.tag(f"docker.io/library/{name}", f"{PUBLISHED}/{component}:{tag}")
    machine_cluster.kubectl("label", "node", *machine_cluster.nodes, "=".join(LABEL))
    with nothing_left(machine_cluster):
        yield machine_cluster
    machine_cluster.kubectl("label", "node", *machine_cluster.nodes, f"{LABEL[0]}-")


def file(to: str) -> str:
    return yaml.safe_dump(edge(to))


def elsewhere() -> str:
    """An object that selects no node: Argo CD does not prune the last one."""
    selector = {"matchLabels": {LABEL[0]: "nowhere"}}
    document = edge("p1")
    document["metadata"]["name"] = "elsewhere"
    document["spec"] |= {"nodeSelector": selector, "state": "Detached"}
    return yaml.safe_dump(document)


def test_from_git_to_frames_and_back(machines: Machines, tmp_path: Path) -> None:
    network = Repository(tmp_path / "network")
    first = network.commit({EDGE: file("p1"), REST: elsewhere()})
    urls = {**product_repository(tmp_path), NETWORK: network.url}
    argo = Argo(machines.cluster)
    argo.start()
    try:
        page = Page(machines.cluster, tmp_path / "page", urls)
        page.follow(INSTALL)
        chart = {public: url for public, url in urls.items() if public != NETWORK}
        product = Application(argo, manifest("argocd/product.yaml", chart))
        product.until(sync="Synced", health="Healthy")
        document = manifest("argocd/redirects.yaml", {NETWORK: network.url})
        with Application(argo, document) as application:
            application.until_health("XdpRedirect", "edge", "Healthy", "of 2 nodes")
            application.until(sync="Synced", revision=first)
            deliver(machines, "p1")
            second = network.commit({EDGE: file("p2")})
            application.until(sync="Synced", revision=second)
            application.until_health("XdpRedirect", "edge", "Healthy", "of 2 nodes")
            deliver(machines, "p2")
            network.commit({EDGE: None})
            until(lambda: not attached(machines), "nodes have let go", evidence=argo.evidence)
            deliver(machines, "stack")
        page.follow(REMOVE)
    finally:
        argo.stop()
    found = machines.kubectl("get", KINDS, "-A", "-o", "name").split()
    assert [name for name in found if "xdp" in name] == []


def deliver(machines: Machines, where: str) -> None:
    for number, node in enumerate(machines.nodes.values(), 3):
        node.wires.deliver([FRAME] * number, **{where: number})


def attached(machines: Machines) -> list[str]:
    return [nic for node in machines.nodes.values() for nic in node.wires.attached()]
