"""Closing what strangers have sent, which can take for ever. Used by `channel` and `door`.

close() of a TCP socket waits as long as its owner has set SO_LINGER to, that of a file of FUSE for
a program of its owner. The kernel also closes what is still on its way in a Unix socket, in the
thread that closes this one. So nothing of it happens in the broker's own thread.
"""

import os
import threading
import time
from contextlib import suppress

Owner = tuple[int, str]
"""User and pod, as in Peer."""
STUCK_SECONDS = 1.0


class Closing:
    """Closes each in a thread, and knows of which owners that does not come to an end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[object, tuple[Owner, float]] = {}

    def close(self, owner: Owner, descriptor: int) -> None:
        """Begin; the descriptor is the caller's no more."""
        token = object()
        with self._lock:
            self._begun[token] = owner, time.monotonic()
        # A daemon: who waits for ever must not keep the process from its end.
        threading.Thread(
            target=self._close, args=(token, descriptor), name="xsk-closing", daemon=True
        ).start()

    def stuck(self, owner: Owner) -> int:
        """How many of this owner take longer than anything honest."""
        late = time.monotonic() - STUCK_SECONDS
        with self._lock:
            return sum(of == owner and begun < late for of, begun in self._begun.values())

    def total(self) -> int:
        """How many are not closed yet."""
        with self._lock:
            return len(self._begun)

    def _close(self, token: object, descriptor: int) -> None:
        # It is closed whatever the file system says to that.
        with suppress(OSError):
            os.close(descriptor)
        with self._lock:
            del self._begun[token]
