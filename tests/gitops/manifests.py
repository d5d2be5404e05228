"""The files of docs/gitops as a user applies them, with repositories of the test in their place.

Called by the fixtures and tests of this folder. Nothing else is changed, so what is tried is what
is printed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cluster import ROOT
from tests.cluster.fleet import redirect
from tests.gitops.repository import Repository
from xdpredirect import __version__

# Of the nodes where frames are; the pods of the chart are on others.
LABEL = ("network.example.com/edge", "true")
DOCS = ROOT / "docs/gitops"
PRODUCT = "https://github.com/xdp-redirect/xdp-redirect-operator"
NETWORK = "https://git.example.com/platform/network"


def manifest(name: str, urls: Mapping[str, str]) -> dict[str, Any]:
    """A file below docs/gitops with one object; `urls` are the test's by those of the text."""
    text = (DOCS / name).read_text()
    for public, own in urls.items():
        assert public in text, f"{name} does not name {public}"
        text = text.replace(public, own)
    return dict(yaml.safe_load(text))


def product_repository(directory: Path) -> dict[str, str]:
    """Makes the project's repository with the chart, tagged as released; its URL."""
    made = Repository(directory / "product")
    made.commit_tree(ROOT / "charts", "charts")
    made.tag(f"v{__version__}")
    return {PRODUCT: made.url}


def edge(to: str, **spec: Any) -> dict[str, Any]:
    """An XdpRedirect `edge` on the nodes of `LABEL`."""
    return redirect("edge", to=to, nodeSelector={"matchLabels": dict([LABEL])}, **spec)


def health() -> Path:
    """What argocd-cm is patched with."""
    return DOCS / "argocd/health.yaml"


def customizations() -> Path:
    """Where the health scripts are, by group and kind as Argo CD's own repository has them."""
    return ROOT / "contrib/argocd/resource_customizations"
