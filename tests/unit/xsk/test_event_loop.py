"""The thread that waits for descriptors and times: what it calls, in which order, how it ends."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from tests.unit.xsk.plugin import descriptors, wait
from xdpredirect.xsk.event_loop import NOW, EventLoop

SECONDS = 60.0


class Pipe:
    """Readable for ever once it is written to."""

    def __init__(self) -> None:
        self.reads, self._writes = os.pipe()

    def write(self) -> None:
        os.write(self._writes, b"x")

    def close(self) -> None:
        os.close(self.reads)
        os.close(self._writes)


@pytest.fixture
def pipes() -> Iterator[tuple[Pipe, Pipe]]:
    both = Pipe(), Pipe()
    yield both
    for pipe in both:
        pipe.close()


@pytest.fixture
def failed() -> threading.Event:
    """Set when the thread has failed."""
    return threading.Event()


@pytest.fixture
def loop(failed: threading.Event) -> Iterator[EventLoop]:
    made = EventLoop("xsk-test", failed.set)
    yield made
    made.stop()
    made.close()


def test_what_the_first_event_ends_has_no_second_one(
    loop: EventLoop, pipes: tuple[Pipe, Pipe]
) -> None:
    """Both have happened when the thread begins."""
    called: list[int] = []

    def call(own: int, other: int) -> None:
        called.append(own)
        loop.forget(own)
        loop.forget(other)

    first, second = (pipe.reads for pipe in pipes)
    loop.watch(first, lambda: call(first, second))
    loop.watch(second, lambda: call(second, first))
    for pipe in pipes:
        pipe.write()
    loop.start()
    wait(lambda: bool(called))
    loop.stop()
    assert len(called) == 1
    assert not loop.watches(first)
    assert not loop.watches(second)


def test_what_is_due_is_done_in_order_and_after_what_has_happened(
    loop: EventLoop, pipes: tuple[Pipe, Pipe]
) -> None:
    done: list[str] = []
    deadlines: dict[str, float | None] = {
        "a": NOW,
        "b": None,
        "c": NOW,
        "d": time.monotonic() + 1e6,
    }

    def act(name: str) -> None:
        assert loop.lock.locked()
        done.append(name)
        deadlines[name] = None

    def happen() -> None:
        loop.forget(pipes[0].reads)
        act("event")

    for name in ("c", "b", "a", "d"):
        loop.at(lambda name=name: deadlines[name], lambda name=name: act(name))  # type: ignore[misc]
    loop.watch(pipes[0].reads, happen)
    pipes[0].write()
    loop.start()
    wait(lambda: len(done) == 3)
    with loop.lock:
        deadlines["b"] = NOW
    loop.wake()
    wait(lambda: len(done) == 4)
    assert done == ["event", "c", "a", "b"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_is_told_and_its_end_is_not(loop: EventLoop, failed: threading.Event) -> None:
    def fail() -> None:
        raise RuntimeError("by this test")

    assert loop.is_alive()
    loop.at(lambda: NOW, fail)
    loop.start()
    assert failed.wait(SECONDS)
    assert not loop.is_alive()


def test_its_end_is_no_defect_and_leaves_no_descriptor(failed: threading.Event) -> None:
    before = descriptors()
    for started in (True, False):
        made = EventLoop("xsk-test", failed.set)
        if started:
            made.start()
        made.stop()
        made.close()
    assert not failed.is_set()
    assert descriptors() == before
