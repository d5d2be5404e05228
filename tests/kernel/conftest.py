"""Fixtures of the kernel tests: a lab, directories of their own, and a check for residue."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.lab import Lab, residue
from tests.kernel.lab.host import pinned_in
from tests.kernel.lab.sweep import sweep
from tests.kernel.lab.turn import turn


@pytest.fixture(scope="session", autouse=True)
def _root_and_clean_start() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: XDP and network namespaces; run `sudo make test-kernel`")
    sweep()


@pytest.fixture(autouse=True)
def _no_residue(request: pytest.FixtureRequest, _root_and_clean_start: None) -> Iterator[None]:
    """Fails a test that leaves anything behind, naming it; runs around all its other fixtures."""
    with turn():
        before = residue.take()
        yield
        left = residue.left_since(before)
    if left and request.node.get_closest_marker("allow_residue") is None:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


@pytest.fixture
def lab(_no_residue: None) -> Iterator[Lab]:
    """An empty lab, taken down after the test."""
    with Lab() as made:
        yield made


@pytest.fixture
def bpffs(tmp_path: Path, _no_residue: None) -> Iterator[Path]:
    """A bpffs of the test's own; whatever is still pinned there at the end fails the test."""
    path = tmp_path / "bpf"
    path.mkdir()
    subprocess.run(["mount", "-t", "bpf", "bpf", str(path)], check=True)
    try:
        yield path
        pins = pinned_in(path)
    finally:
        subprocess.run(["umount", str(path)], check=True)
    assert not pins, f"left pinned: {', '.join(pins)}"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """An empty directory for what an agent remembers."""
    path = tmp_path / "state"
    path.mkdir()
    return path
