"""The memory of sockets counts for the agent, and no client can have it ended by that."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kernel.handing import Handing, held, sockets
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.memory_cgroup import MemoryCgroup, memory_cgroup
from tests.kernel.raw_client import RawClient
from tests.kernel.switch import INGRESS
from xdpredirect.errors import SocketRefused
from xdpredirect.xsk.client import connect

QUEUES = 16
AS_ROOT = sockets(f"0-{QUEUES - 1}").replace("65534", "0")
FRAMES, OCTETS = 4096, 2048
LARGEST = FRAMES * OCTETS
# The agent itself takes 30 to 45 MiB, and 160 are kept for compilations.
LIMIT = 256 << 20
CYCLES = 60


@pytest.fixture
def cgroup() -> Iterator[MemoryCgroup]:
    with memory_cgroup() as made:
        made.limit(LIMIT)
        yield made


@pytest.fixture
def handing(cgroup: MemoryCgroup, lab: Lab, tmp_path: Path) -> Iterator[Handing]:
    made = Handing(lab, tmp_path / "wanted", queues=QUEUES)
    made.want(AS_ROOT)
    with made.agent(*cgroup.join):
        made.serves()
        yield made
    assert cgroup.kills() == 0


def test_whoever_keeps_the_memory_has_it_counted_for_himself(
    handing: Handing, cgroup: MemoryCgroup
) -> None:
    """Taken, given back and the memfd kept: twice as much in all as the agent may have."""
    assert CYCLES * LARGEST > 1.5 * LIMIT
    before = cgroup.usage()
    kept: list[int] = []
    try:
        with RawClient(handing.socket.parent) as client:
            assert client.ask(b"hello 1 keeper").startswith("hello")
            for _ in range(CYCLES):
                said = client.ask(f"take {INGRESS} 0 {FRAMES} {OCTETS}".encode())
                assert said.startswith("bound"), said
                xsk, memfd = client.descriptors
                client.descriptors.clear()
                kept.append(memfd)
                os.close(xsk)
                assert client.ask(f"release {INGRESS} 0".encode()).startswith("released")
        until(lambda: cgroup.usage() - before < LARGEST, "the memory is given back")
        # It is all there still, and empty; what is written counts for who writes.
        os.pwrite(kept[0], b"x", LARGEST - 1)
        assert os.pread(kept[0], 2, LARGEST - 2) == b"\0x"
    finally:
        for memfd in kept:
            os.close(memfd)
    until(lambda: held(handing) == [], "the status names nobody")


def take_all(handing: Handing, stack: ExitStack) -> tuple[int, SocketRefused]:
    """One socket of each queue until one is refused: how many, and why no more."""
    for queue in range(QUEUES):
        try:
            made = connect(handing.socket.parent, INGRESS, queue, frames=FRAMES)
        except SocketRefused as refused:
            return queue, refused
        stack.enter_context(made)
    raise AssertionError("the agent has taken more memory than it has")


def test_more_than_there_is_room_for_is_refused(handing: Handing, cgroup: MemoryCgroup) -> None:
    before = cgroup.usage()
    with ExitStack() as stack:
        taken, refused = take_all(handing, stack)
        assert refused.reason == "MemoryLimit"
        assert refused.sentence.endswith("KiB for sockets, not 8192 KiB")
        assert taken > 0
        # The kernel counts in batches, and other memory of the agent comes and goes.
        assert cgroup.usage() - before == pytest.approx(taken * LARGEST, rel=0.25)
    # Who has closed his makes room for others.
    until(lambda: cgroup.usage() - before < LARGEST, "the memory is given back")
    with ExitStack() as stack:
        assert take_all(handing, stack)[0] > 0
