"""A thread that waits for descriptors and for times. `server` and `plugin_server` have one each.

loop = EventLoop("xsk-broker", failed)
loop.watch(listener.fileno(), accept)
loop.at(deadline, act)
loop.start()
"""

import contextlib
import os
import selectors
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

NOW = 0.0
"""A deadline that has passed."""
Deadline = Callable[[], float | None]
"""When something is due, on the monotonic clock; None for never."""


class _Due(NamedTuple):
    deadline: Deadline
    act: Callable[[], None]


class EventLoop:
    """Whatever it calls is called with `lock` held, which others have to take before they touch
    what that is about; but for `failed`, which is called when a defect ends the thread."""

    def __init__(self, name: str, failed: Callable[[], None]) -> None:
        self.lock = threading.Lock()
        self._failed = failed
        self._due: list[_Due] = []
        self._stopping = self._ended = False
        self._selector = selectors.DefaultSelector()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.watch(self._wake, self._woken)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def watch(self, descriptor: int, call: Callable[[], None]) -> None:
        """Call this whenever the descriptor is readable. Raises KeyError when it is watched."""
        self._selector.register(descriptor, selectors.EVENT_READ, call)

    def watches(self, descriptor: int) -> bool:
        """Whether it does."""
        return descriptor in self._selector.get_map()

    def forget(self, descriptor: int) -> None:
        """Watch it no more; to be said before it is closed."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(descriptor)

    def at(self, deadline: Deadline, act: Callable[[], None]) -> None:
        """Act whenever the deadline has passed, which is asked for after everything that happens.
        Of several that have passed the one that was named first comes first."""
        self._due.append(_Due(deadline, act))

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Have it ask for all deadlines: one may have changed."""
        os.eventfd_write(self._wake, 1)

    def is_alive(self) -> bool:
        """Whether it has not ended; False after a defect."""
        return not self._ended

    def stop(self) -> None:
        """End the thread, if there is one, and wait for it."""
        self._stopping = True
        self.wake()
        if self._thread.ident is not None:
            self._thread.join()

    def close(self) -> None:
        """After `stop`: everything is forgotten."""
        self._selector.close()
        os.close(self._wake)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        finally:
            self._ended = True
            if not self._stopping:
                # By a defect: whoever made this one makes another.
                self._failed()

    def _turn(self) -> None:
        found = self._selector.select(self._time_left())
        with self.lock:
            for key, _ in found:
                # Of several events the first may have ended what the others are about.
                if self._selector.get_map().get(key.fd) is key:
                    key.data()
            for deadline, act in self._due:
                if has_passed(deadline()):
                    act()

    def _time_left(self) -> float | None:
        """Seconds until something is to be done without an event."""
        with self.lock:
            times = [due for deadline, _ in self._due if (due := deadline()) is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)


def has_passed(due: float | None) -> bool:
    """Whether something is due."""
    return due is not None and time.monotonic() >= due
