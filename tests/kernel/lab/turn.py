"""Whose turn it is: what counts the BPF objects of the whole machine does so one after the other.

Called by the fixtures of tests/kernel and tests/cluster and by benches, also those of other
checkouts.
"""

import contextlib
import fcntl
import threading
from collections.abc import Iterator
from pathlib import Path

LOCK = Path("/run/xdpredirect-lab.lock")
# flock is not fair: a run that gives the lock up between two tests has it again before one that
# waits wakes up. Only the head of this queue waits for the lock, and everybody queues.
QUEUE = Path("/run/xdpredirect-lab.queue")


_mine = threading.Lock()


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Waits for it, in order; the end of `with`, or of the process, gives it up. Who has it
    already, by a fixture of a whole module, need not wait: for itself that would be for ever.
    """
    if not _mine.acquire(blocking=False):
        yield
        return
    try:
        with _turn():
            yield
    finally:
        _mine.release()


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    with LOCK.open("w") as lock:
        with QUEUE.open("w") as queue:
            fcntl.flock(queue, fcntl.LOCK_EX)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
