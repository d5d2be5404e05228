"""The chart and the kustomize base are two ways to the same objects."""

import subprocess
from typing import Any

from tests.chart.helm import Helm
from tests.chart.rendered import NAMESPACE, Document, agents_of, by_key, documents, is_hook, render
from tests.cluster.binaries.families import path
from tests.cluster.cluster import ROOT

# helm does not make the namespace that it installs into (docs/install.md says how to label it).
ONLY_IN_BASE = {("Namespace", "", NAMESPACE)}
# Of a release, and which chart it came from: helm's own bookkeeping.
OF_HELM = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
}
# Either makes a changed file restart the operator: kustomize by the name of the ConfigMap, the
# chart by this annotation.
CHECKSUM = "checksum/agents"
CONFIG = "xdp-redirect-agents"


def base() -> list[Document]:
    done = subprocess.run(
        [str(path("kubectl")), "kustomize", str(ROOT / "config")],
        capture_output=True,
        text=True,
        check=True,
    )
    return documents(done.stdout)


def plain(document: Document) -> Document:
    """Without the differences that are explained above."""
    metadata = dict(document["metadata"])
    labels = {k: v for k, v in metadata.get("labels", {}).items() if k not in OF_HELM}
    metadata["labels"] = labels
    made: dict[str, Any] = {**document, "metadata": metadata}
    if document["kind"] == "ConfigMap":
        metadata["name"] = metadata["name"][: len(CONFIG)]
        del made["data"]
    if document["kind"] == "Deployment":
        pod = made["spec"]["template"]
        annotations = pod["metadata"].get("annotations", {})
        annotations.pop(CHECKSUM, None)
        if not annotations:
            pod["metadata"].pop("annotations", None)
        (volume,) = pod["spec"]["volumes"]
        volume["configMap"]["name"] = volume["configMap"]["name"][: len(CONFIG)]
    return made


def test_chart_and_base_are_the_same_objects(helm: Helm) -> None:
    chart = [one for one in render(helm) if not is_hook(one)]
    kustomize = base()
    assert agents_of(chart) == agents_of(kustomize)
    ours, theirs = by_key(list(map(plain, chart))), by_key(list(map(plain, kustomize)))
    assert ours.keys() == theirs.keys() - ONLY_IN_BASE
    assert theirs.keys() >= ONLY_IN_BASE
    for name, document in ours.items():
        assert document == theirs[name], name
