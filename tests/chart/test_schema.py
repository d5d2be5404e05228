"""What the chart renders is valid for every Kubernetes that it says to support."""

import kubernetes_validate
import pytest

from tests.chart.helm import Helm
from tests.chart.rendered import SETS, Document, agents_of, render
from tests.chart.test_metrics import MONITORS

# The chart's kubeVersion to the one that the tests' control plane is of.
KUBERNETES = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
# Of values that say which Kubernetes they need.
SINCE = {"DeviceClass": "1.34"}


@pytest.fixture(scope="module")
def every_set(helm4: Helm) -> dict[str, list[Document]]:
    """The objects of each set, which are the same from helm 3, and the DaemonSet that the operator
    makes out of them; those that are none of Kubernetes are looked at by test_metrics."""
    found = {}
    for name, values in SETS.items():
        objects = render(helm4, values)
        known = [one for one in objects if one["kind"] not in MONITORS]
        found[name] = [*known, agents_of(objects)]
    return found


@pytest.mark.parametrize("version", KUBERNETES)
def test_every_set_is_valid(every_set: dict[str, list[Document]], version: str) -> None:
    seen: list[Document] = []
    for objects in every_set.values():
        for document in objects:
            # Most objects are the same in most sets.
            if document not in seen and version >= SINCE.get(document["kind"], version):
                seen.append(document)
                kubernetes_validate.validate(document, version, strict=True)
    assert {document["kind"] for document in seen} >= {
        *("CustomResourceDefinition", "ClusterRole", "ValidatingAdmissionPolicy", "Deployment"),
        *("DaemonSet", "PodDisruptionBudget", "NetworkPolicy", "Job", "Pod", "ConfigMap"),
        *("Service", *(kind for kind, since in SINCE.items() if version >= since)),
    }


def test_what_is_unknown_to_a_version_is_refused() -> None:
    wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dato": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES[0], strict=True)
