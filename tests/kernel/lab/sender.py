"""Sending exactly the frames that a test made, in their order.

Called through `Port` by tests, benches and the demo. Nothing is added, padded or resolved.
"""

import contextlib
import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType

from tests.kernel.lab.errors import LabError
from tests.kernel.lab.host import Host

# How long a full ring of the peer may keep a frame waiting before we call it stuck.
STUCK_SECONDS = 30.0
# Column of tx_dropped in /proc/net/dev, counted from behind the colon.
TX_DROPPED = 11


def send(host: Host, ifname: str, frames: Iterable[bytes]) -> int:
    """Sends `frames` (whole Ethernet frames without FCS) out of `ifname`; returns how many.

    Raises LabError when the wire itself dropped one, so that a frame missing at the other end was
    lost by what is tested.
    """
    count = retried = 0
    with _on_one_cpu(), _socket(host, ifname) as sock:
        dropped = _tx_dropped(host, ifname)
        for frame in frames:
            retried += _send_one(sock, frame, f"{host.name}:{ifname}: frame {count}")
            count += 1
        lost = _tx_dropped(host, ifname) - dropped - retried
    if lost > 0:
        raise LabError(f"{host.name}:{ifname}: the wire dropped {lost} of {count} frames")
    return count


class Stream:
    """Frames sent by a thread of its own at `rate` frames a second, until the `with` ends.

    `sent` is exact once the `with` has ended. The rate is an upper bound that is caught up with
    after a pause of up to 50 ms; a longer pause is not made up for by a burst.
    """

    def __init__(
        self, host: Host, ifname: str, frame: Callable[[int], bytes], *, rate: int
    ) -> None:
        self.sent = 0
        self._host, self._ifname, self._frame, self._rate = host, ifname, frame, rate
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"stream-{ifname}")

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _run(self) -> None:
        try:
            send(self._host, self._ifname, self._paced())
        except Exception as error:
            self._failure = error

    def _paced(self) -> Iterable[bytes]:
        due = time.monotonic()
        while not self._stop.is_set():
            ahead = due - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            due = max(due, time.monotonic() - 0.05) + 1 / self._rate
            yield self._frame(self.sent)
            # Only after the consumer came back for more was the frame really sent.
            self.sent += 1


@contextlib.contextmanager
def _on_one_cpu() -> Iterator[None]:
    """A veth's other end is served by the CPU that sends. Left behind on another one, what waits
    there is served late, and the small queue of the hop after it overflows."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _socket(host: Host, ifname: str) -> socket.socket:
    with host.enter():
        # Protocol 0: a sender receives nothing.
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            sock.bind((ifname, 0))
        except OSError as error:
            sock.close()
            raise LabError(f"{host.name}:{ifname}: {error}") from error
    return sock


def _send_one(sock: socket.socket, frame: bytes, what: str) -> int:
    """Returns how often the peer's ring was full; each such try counts as dropped there."""
    retried = 0
    deadline = time.monotonic() + STUCK_SECONDS
    while True:
        try:
            sock.send(frame)
        except OSError as error:
            if error.errno != errno.ENOBUFS or time.monotonic() > deadline:
                raise LabError(f"{what} of {len(frame)} octets: {error}") from error
            retried += 1
            time.sleep(0.001)
        else:
            return retried


def _tx_dropped(host: Host, ifname: str) -> int:
    with host.enter():
        table = Path("/proc/thread-self/net/dev").read_text()
    for line in table.splitlines():
        name, colon, numbers = line.partition(":")
        if colon and name.strip() == ifname:
            return int(numbers.split()[TX_DROPPED])
    raise LabError(f"{host.name} has no interface {ifname}")
