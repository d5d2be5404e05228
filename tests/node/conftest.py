"""Fixtures of the node tests. The cluster itself is in tests/conftest.py, for tests/gitops too."""

from collections.abc import Iterator

import pytest

from tests.image.build import images
from tests.kernel.lab import residue
from tests.kernel.lab.turn import turn
from tests.node.machines import Machines
from tests.node.product import Product


@pytest.fixture(scope="package")
def product(machine_cluster: Machines) -> Iterator[Product]:
    """The images on the nodes; whether anything is installed is for the tests to say."""
    made = Product(machine_cluster, images())
    yield made
    if made.installed:
        made.uninstall()


@pytest.fixture
def installed(product: Product, _no_residue: None) -> Product:
    """Installed by helm, by whichever test needed it first."""
    if not product.installed:
        product.install()
    return product


@pytest.fixture(autouse=True)
def _no_residue(machine_cluster: Machines) -> Iterator[None]:
    """Fails a test that leaves anything behind, naming it. What is installed may stay: without an
    XdpRedirect it has nothing in the kernel.
    """
    with turn():
        before = residue.take()
        yield
        left = residue.left_since(before, spare=machine_cluster.pids)
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)
