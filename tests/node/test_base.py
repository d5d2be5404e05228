"""The kustomize base on real nodes: the other way to install that docs/install.md knows."""

import os
from pathlib import Path

import yaml

from tests.cluster.cluster import ROOT
from tests.cluster.fleet import redirect
from tests.kernel.switch import udp
from tests.node.product import NAMESPACE, Product

FRAME = udp(7)
PUBLISHED = "ghcr.io/xdp-redirect/operator"


def test_installed_by_kubectl_and_taken_out_again(product: Product, tmp_path: Path) -> None:
    if product.installed:
        product.uninstall()
    kubectl = product.machines.kubectl
    overlay = str(write_overlay(product, tmp_path / "overlay"))
    kubectl("apply", "--server-side", "-k", overlay)
    try:
        kubectl("rollout", "status", "deployment/xdp-redirect-operator", "-n", NAMESPACE)
        product.apply(redirect("edge", to="p1"))
        product.wait_ready("edge")
        for number, name in enumerate(product.machines.nodes, 4):
            product.wires(name).deliver([FRAME] * number, p1=number)
        product.uninstall_from_outside()
        for node in product.machines.nodes.values():
            node.wires.deliver([FRAME] * 2, stack=2)
    finally:
        kubectl("delete", "--ignore-not-found", "-k", overlay)
    product.until(lambda: product.left() == [], "nothing is left")


def write_overlay(product: Product, directory: Path) -> Path:
    """config/ with the images of this checkout, as config/operator/kustomization.yaml shows."""
    operator, _, tag = product.operator.partition(":")
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(ROOT / "config", directory)],
        "images": [{"name": PUBLISHED, "newName": operator, "newTag": tag}],
        "configMapGenerator": [
            {
                "name": "xdp-redirect-agents",
                "namespace": NAMESPACE,
                "behavior": "replace",
                "files": ["agents.yaml"],
            }
        ],
    }
    directory.mkdir()
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(document))
    agents = {"image": f"{product.repository}:{product.tag}"}
    (directory / "agents.yaml").write_text(yaml.safe_dump(agents))
    return directory
