"""Fixtures of the image tests: what `make image` makes, unpacked once, and a lab to run it in."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.image.archive import Archive
from tests.image.build import Images, images
from tests.image.container import AGENT_CAPABILITIES, Container, Mount, Pod, Rights
from tests.kernel.lab import Host, Lab, residue
from tests.kernel.lab.sweep import sweep
from tests.kernel.lab.turn import turn

TRACEFS = "/sys/kernel/tracing"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """An image: `archive` as it was built, `root` as a container runtime lays it out."""

    archive: Archive
    root: Path


@pytest.fixture(scope="session")
def built() -> Images:
    """The images of this checkout."""
    if os.geteuid() != 0:
        pytest.skip("needs root: images and containers; run `sudo make test-image`")
    sweep()
    return images()


@pytest.fixture(scope="session")
def unpacked(built: Images) -> Iterator[Callable[[str], Unpacked]]:
    """The image of that name, "operator" or "agent"; unpacked when first asked for."""
    found: dict[str, Unpacked] = {}
    directory = Path(tempfile.mkdtemp(prefix="xdpredirect-image-"))

    def get(name: str) -> Unpacked:
        if name not in found:
            archive = Archive(getattr(built, name))
            archive.unpack(directory / name)
            found[name] = Unpacked(archive, directory / name)
        return found[name]

    try:
        yield get
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def _no_residue(request: pytest.FixtureRequest, built: Images) -> Iterator[None]:
    """Fails a test that leaves anything behind, naming it; runs around all its other fixtures."""
    # Only an agent with objects loads programs. The others need not wait for those of another run.
    loads = "node" in request.fixturenames
    with turn() if loads else nullcontext():
        before = residue.take()
        yield
        left = residue.left_since(before, bpf=loads)
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


@pytest.fixture
def lab(_no_residue: None) -> Iterator[Lab]:
    """Hosts and wires of one test."""
    with Lab() as made:
        yield made


@pytest.fixture
def run(unpacked: Callable[[str], Unpacked], lab: Lab) -> Iterator[Callable[..., Container]]:
    """run("agent", host, "agent", "--files", "/objects") starts a container as a pod of ours is
    started; `mounts` are further ones. It is removed after the test."""
    made: list[Container] = []

    def start(image: str, host: Host, *args: str, mounts: tuple[Mount, ...] = ()) -> Container:
        found = unpacked(image)
        agent = image == "agent"
        pod = Pod(
            root=found.root,
            image=found.archive.config,
            rights=Rights(user=0, capabilities=AGENT_CAPABILITIES) if agent else Rights(user=65532),
            args=args,
            mounts=(*(agent_mounts(host) if agent else ()), *mounts),
        )
        container = Container(host, f"{image}-{len(made)}", pod)
        made.append(container)
        container.start()
        return container

    try:
        yield start
    finally:
        for container in made:
            container.remove()


def agent_mounts(host: Host) -> tuple[Mount, ...]:
    """As the agents' DaemonSet has them (xdpredirect.controller.agents)."""
    return (
        Mount(target="/sys/fs/bpf", source=str(host.bpffs)),
        Mount(target=TRACEFS, source=TRACEFS, read_only=True),
        Mount(target="/var/lib/xdpredirect", source=str(host.state_dir)),
        Mount(target="/tmp"),
        Mount(target="/var/lib/xdpredirect/run"),
    )
