"""A socket of a queue, for a program without privileges.

    with connect(Path("/run/xdpredirect/sockets"), "eth0", queue=0) as socket:
        for frame in socket.frames():
            ...

It holds on to the socket while the agent restarts. Python has no memory barriers, and x86-64 needs
none for a ring with one writer at each end. For other processors, and for speed: examples/xsk.c.
"""

import errno
import mmap
import os
import platform
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from xdpredirect.errors import SocketRefused
from xdpredirect.xsk import uapi
from xdpredirect.xsk.messages import Bound, Release, Return, Take
from xdpredirect.xsk.rings import CompletionRing, FillRing, ReceiveRing, TransmitRing
from xdpredirect.xsk.session import Session, own_name

_RETURN_SECONDS = 0.1
"""Between two attempts to find a broker again."""
_BATCH = 64
_LATER = (errno.EBUSY, errno.ENOBUFS, errno.ENETDOWN, errno.ENXIO)


def connect(
    directory: Path, interface: str, queue: int = 0, *, frames: int = 2048, octets: int = 2048
) -> "XskSocket":
    """Take a queue; `frames` of `octets` is how much memory it receives into.

    Raises SocketRefused, and OSError where there is no broker.
    """
    return take(directory, Take(interface, queue, frames, octets, multi_buffer=True))


def take(directory: Path, wanted: Take) -> "XskSocket":
    """The same, to the letter of the request. Raises as `connect`."""
    check_processor()
    session = Session(directory, own_name())
    try:
        bound, descriptors = session.ask(wanted)
    except BaseException:
        session.close()
        raise
    assert isinstance(bound, Bound)
    return XskSocket(directory, session, bound, descriptors)


class XskSocket:
    """Made by `connect` or `own.bring`; use it in a `with` statement.

    `bound` says what was bound: ifindex, whether with zero-copy, whether it may transmit, whether
    frames come that are longer than a place of the UMEM, for how many frames it polls. One that
    polls has `receive` ask the device for frames, and `wait` do nothing else, with a whole CPU.
    """

    def __init__(
        self, directory: Path, session: Session, bound: Bound, descriptors: list[int]
    ) -> None:
        self.bound, self._directory = bound, directory
        self._session: Session | None = session
        self._return_at = 0.0
        self._begun = b""
        xsk, memfd = descriptors
        with ExitStack() as stack:
            stack.callback(self._end_session)
            self._socket = socket.socket(uapi.AF_XDP, socket.SOCK_RAW, 0, fileno=xsk)
            stack.callback(self._socket.close)
            try:
                self._memory = mmap.mmap(memfd, bound.frames * bound.octets)
            finally:
                os.close(memfd)
            stack.callback(self._memory.close)
            self._map_rings(stack)
            # A mapping of a ring keeps the socket in its XSKMAP, so all go in this order.
            self._stack = stack.pop_all()

    def _map_rings(self, stack: ExitStack) -> None:
        raw = self._socket.getsockopt(uapi.SOL_XDP, uapi.MMAP_OFFSETS, uapi.OFFSETS_OCTETS)
        at, frames = uapi.offsets(raw), self.bound.frames
        self._rx = stack.enter_context(ReceiveRing(self._socket, at.rx, frames))
        self._fill = stack.enter_context(FillRing(self._socket, at.fill, frames))
        self._tx: TransmitRing | None = None
        self._free: list[int] = []
        if self.bound.transmit:
            self._tx = stack.enter_context(TransmitRing(self._socket, at.tx, frames))
            completion = CompletionRing(self._socket, at.completion, frames)
            self._completion = stack.enter_context(completion)
            # The first half is in the fill ring when the socket arrives.
            self._free += (number * self.bound.octets for number in range(frames // 2, frames))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the queue back."""
        self._stack.close()

    def fileno(self) -> int:
        """Readable when frames have arrived."""
        return self._socket.fileno()

    def frames(self) -> Iterator[bytes]:
        """Whole Ethernet frames as they arrive, for ever. Raises SocketRefused when the queue is
        taken back: `Withdrawn`."""
        while True:
            yield from self.receive()
            self.wait(None)

    def receive(self, most: int = _BATCH) -> list[bytes]:
        """The frames that have arrived whole, up to `most`."""
        found: list[bytes] = []
        if self.bound.busy_poll is not None or self._fill.needs_wakeup():
            self._poll_device()
        # As many pieces as frames are wanted can be no more frames; of long ones they are fewer.
        while len(found) < most and (taken := self._rx.take(most - len(found))):
            for address, length, more in taken:
                piece = self._memory[address : address + length]
                whole = self._begun + piece if self._begun else piece
                self._begun = whole if more else b""
                if not more:
                    found.append(whole)
            # An address points behind the headroom of its place.
            self._fill.put(address & ~(self.bound.octets - 1) for address, _, _ in taken)
        return found

    def wait(self, seconds: float | None) -> bool:
        """Until a frame has arrived, so long at most; whether one has. Raises SocketRefused."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            self._attend()
            left = _RETURN_SECONDS if self._session is None else None
            if deadline is not None:
                rest = max(0.0, deadline - time.monotonic())
                left = rest if left is None else min(left, rest)
            if self._poll(left):
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False

    def send(self, frame: bytes) -> bool:
        """Transmit a whole Ethernet frame; False when none can be taken now. Raises SocketRefused
        without the right to, ValueError for one that does not fit."""
        if self._tx is None:
            raise SocketRefused("ReceiveOnly", "the socket may not transmit")
        if len(frame) > self.bound.octets:
            raise ValueError(f"a frame has {self.bound.octets} octets at most, not {len(frame)}")
        self._free += self._completion.take()
        if not self._free:
            self._kick()
            return False
        address = self._free.pop()
        self._memory[address : address + len(frame)] = frame
        self._tx.put(address, len(frame))
        if self._tx.needs_wakeup():
            self._kick()
        return True

    def statistics(self) -> uapi.Statistics:
        """What the socket has lost, and why; its methods want `bound`'s words."""
        raw = self._socket.getsockopt(uapi.SOL_XDP, uapi.STATISTICS, uapi.STATISTICS_OCTETS)
        return uapi.statistics_of(raw)

    def _end_session(self) -> None:
        if self._session is not None:
            with self._session, suppress(OSError, SocketRefused):
                # The end of the connection would say the same, but nobody could wait for it.
                self._session.ask(Release(self.bound.interface, self.bound.queue))

    def _kick(self) -> None:
        with _or_later():
            self._socket.send(b"", socket.MSG_DONTWAIT)

    def _poll_device(self) -> None:
        with _or_later():
            self._socket.recv(0, socket.MSG_DONTWAIT)

    def _poll(self, seconds: float | None) -> bool:
        if self.bound.busy_poll is not None:
            self._poll_device()
            seconds = 0.0
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if self._session is not None:
            poll.register(self._session.fileno(), select.POLLIN)
        found = poll.poll(None if seconds is None else seconds * 1000)
        return any(descriptor == self._socket.fileno() for descriptor, _ in found)

    def _attend(self) -> None:
        """See whether the broker is there, and bring the socket back to one that is new."""
        if self._session is not None:
            try:
                self._session.news()
            except OSError:
                self._session.close()
                self._session = None
        if self._session is None and time.monotonic() >= self._return_at:
            self._bring_back()
        place = (self.bound.interface, self.bound.queue)
        if self._session is not None and place in self._session.withdrawn:
            raise SocketRefused("Withdrawn", "the broker has taken the queue back")

    def _bring_back(self) -> None:
        self._return_at = time.monotonic() + _RETURN_SECONDS
        try:
            session = Session(self._directory, own_name())
        except OSError:
            return
        try:
            session.ask(Return(self.bound.interface, self.bound.queue), self._socket.fileno())
        except BaseException as error:
            session.close()
            if isinstance(error, OSError):
                return
            raise
        self._session = session


@contextmanager
def _or_later() -> Iterator[None]:
    """The device is busy or down, or its queue full: the next call does what this one could not.
    Or it is gone, which the broker tells `wait`."""
    try:
        yield
    except (BlockingIOError, InterruptedError):
        pass
    except OSError as error:
        if error.errno not in _LATER:
            raise


def check_processor() -> None:
    """Raises SocketRefused where this client does not work."""
    if platform.machine() != "x86_64":
        words = f"this client is for x86-64, not {platform.machine()}; see examples/xsk.c"
        raise SocketRefused("WrongProcessor", words)
