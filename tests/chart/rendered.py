"""What the chart becomes with given values, as documents. Called by the tests of this folder."""

from pathlib import Path
from typing import Any

import yaml

from tests.chart.helm import CHART, Helm
from xdpredirect.controller.agents import daemon_set, read_agents

NAMESPACE = "xdp-redirect-system"
RELEASE = "redirects"
SETS = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").iterdir())}
Document = dict[str, Any]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def render(helm: Helm, values: Path | None = None, *args: str) -> list[Document]:
    """All objects of a release, hooks among them, in the order in which helm prints them."""
    given = ["--values", str(values)] if values else []
    text = helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *given, *args)
    return documents(text)


def documents(text: str) -> list[Document]:
    """The objects of a stream of YAML; the comments between them make empty ones."""
    return [one for one in yaml.load_all(text, LOADER) if one]


def agents_of(objects: list[Document]) -> Document:
    """The DaemonSet that the operator makes of the file in these objects."""
    (config,) = (one for one in objects if one["kind"] == "ConfigMap")
    read = read_agents(yaml.safe_load(config["data"]["agents.yaml"]))
    return daemon_set(read, NAMESPACE)


def is_hook(document: Document) -> bool:
    """Whether helm only makes it for a while."""
    return "helm.sh/hook" in document["metadata"].get("annotations", {})


def key(document: Document) -> tuple[str, str, str]:
    """Kind, namespace and name."""
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace", ""), metadata["name"]


def by_key(objects: list[Document]) -> dict[tuple[str, str, str], Document]:
    """Objects by `key`; AssertionError when two have the same."""
    found = {key(one): one for one in objects}
    assert len(found) == len(objects)
    return found
