"""A descriptor that is readable once another thread has news. Called by `agent.node_source`."""

import os
import threading


class Wake:
    """Use it in a `with` statement; `set` may come from any thread, and after the block, too: then
    it does nothing. By that time the number may be another file's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __enter__(self) -> "Wake":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            os.close(self._fd)

    def fileno(self) -> int:
        """Readable once `set` was called since the last `drain`."""
        return self._fd

    def set(self) -> None:
        """There is news."""
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._fd, 1)

    def drain(self) -> bool:
        """Take the news; whether there was any."""
        try:
            return bool(os.eventfd_read(self._fd))
        except BlockingIOError:
            return False
