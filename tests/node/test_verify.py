"""`helm test` in a pod: what it prints, and that it leaves nothing, whichever way it ends."""

import json

import pytest

from tests.chart.helm import VERSIONS
from tests.cluster.fleet import redirect
from tests.node.product import Product

CRD = "crd/xdpaddresssets.xdpredirect.io"
PLACE = "/spec/versions/0/schema/openAPIV3Schema/description"
POINTER = "jsonpath={.spec.versions[0].schema.openAPIV3Schema.description}"
KINDS = "pods,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings"


@pytest.mark.parametrize("program", VERSIONS)
def test_it_prints_what_it_found_and_is_gone(installed: Product, program: str) -> None:
    installed.apply(redirect("edge", to="p1"))
    installed.wait_ready("edge")
    code, said = installed.verify(program)
    assert code == 0, said
    assert said.count("✓") == 7, said
    assert "✓ agents: 2 of 2 are ready" in said
    assert left(installed) == []
    installed.delete("edge")


@pytest.mark.parametrize("program", VERSIONS)
def test_one_that_fails_says_why_and_is_gone(installed: Product, program: str) -> None:
    before = installed.machines.kubectl("get", CRD, "-o", POINTER)
    describe(installed, "of another version")
    try:
        code, said = installed.verify(program)
    finally:
        describe(installed, before)
    assert code == 1
    assert "✗ xdpaddresssets: the CRD is not that of" in said, said
    assert said.count("✓") == 6, said
    assert left(installed) == []


def describe(product: Product, words: str) -> None:
    """Changes a CRD where no object is concerned."""
    patch = json.dumps([{"op": "replace", "path": PLACE, "value": words}])
    product.machines.kubectl("patch", CRD, "--type=json", "-p", patch)


def left(product: Product) -> list[str]:
    """Of the test."""
    names = product.machines.kubectl("get", KINDS, "-A", "-o", "name").split()
    return [name for name in names if "verify" in name]
