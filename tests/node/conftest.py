"""Fixtures of the node tests. The cluster itself is in tests/conftest.py, for tests/gitops too."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from tests.cluster.fleet import redirect
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


@pytest.fixture(scope="module")
def redirecting(product: Product) -> Iterator[Product]:
    """Installed, and every node redirects `in` to `p1`: for tests of a module that disturb it."""
    with nothing_left(product.machines):
        if not product.installed:
            product.install()
        product.apply(redirect("edge", to="p1"))
        product.wait_ready("edge")
        product.until(product.agents_ready, "agents are Ready")
        yield product
        product.delete("edge")


@pytest.fixture(autouse=True)
def _no_residue(request: pytest.FixtureRequest, machine_cluster: Machines) -> Iterator[None]:
    """Around every test; `redirecting` is looked after for a whole module."""
    if "redirecting" in request.fixturenames:
        yield
        return
    # Only what is installed can load programs.
    with nothing_left(machine_cluster, loads="product" in request.fixturenames):
        yield


@contextmanager
def nothing_left(machines: Machines, *, loads: bool = True) -> Iterator[None]:
    """Fails a test that leaves anything behind, naming it. What is installed may stay: without an
    XdpRedirect it has nothing in the kernel. With `loads` the test waits for its turn.
    """
    with turn() if loads else nullcontext():
        before = residue.take()
        yield
        left = residue.left_since(before, spare=machines.pids, bpf=loads)
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)
