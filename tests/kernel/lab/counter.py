"""Counting exactly the frames that arrive at an interface.

Called through `Port.counter`. The socket is open before a test sends, so nothing is missed.
"""

import select
import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType

from tests.kernel.lab.errors import LabError
from tests.kernel.lab.host import Host

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 6, 8, 23
SO_RCVBUFFORCE = 33
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
ETHERTYPE_8021Q = 0x8100
# struct tpacket_auxdata: status, len, snaplen, mac, net, vlan_tci, vlan_tpid
AUXDATA = struct.Struct("=IIIHHHH")
# A small frame costs the kernel some 800 octets of this: about 150,000 of them fit.
RECEIVE_BUFFER = 64 << 20
LONGEST_FRAME = 1 << 17


class Counter:
    """Frames that arrived at `ifname` since it was made, as they were on the wire.

    `frames` holds those for which `match` holds (all without one), `others` the rest; both only
    grow while `drain`, `wait`, `settled` or `exactly` run. A VLAN tag that the kernel took off is
    put back. Frames that leave the interface are not counted. Where GRO is on, TCP segments of one
    flow with consecutive sequence numbers arrive as one frame; equal frames and UDP do not.
    """

    def __init__(
        self, host: Host, ifname: str, match: Callable[[bytes], bool] | None = None
    ) -> None:
        self.frames: list[bytes] = []
        self.others: list[bytes] = []
        self._where = f"{host.name}:{ifname}"
        self._match = match
        self._buffer = bytearray(LONGEST_FRAME)
        with host.enter():
            # Protocol 0 until it is bound: otherwise frames of other interfaces come in between.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
                self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
                self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
                self._socket.bind((ifname, ETH_P_ALL))
            except OSError as error:
                self._socket.close()
                raise LabError(f"{self._where}: {error}") from error
        self._socket.setblocking(False)

    def __enter__(self) -> "Counter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends counting; what was counted stays readable."""
        self._socket.close()

    @property
    def count(self) -> int:
        """How many matching frames were read so far."""
        return len(self.frames)

    def drain(self) -> int:
        """Reads what has arrived, without waiting; returns how many frames of any kind it was."""
        read = 0
        while True:
            try:
                length, ancillary, _, _ = self._socket.recvmsg_into([self._buffer], 64)
            except BlockingIOError:
                break
            read += 1
            frame = with_tag(bytes(self._buffer[:length]), ancillary)
            wanted = self._match is None or self._match(frame)
            (self.frames if wanted else self.others).append(frame)
        self._fail_on_overflow()
        return read

    def wait(self, n: int, timeout: float = 30.0) -> list[bytes]:
        """Returns as soon as `n` matching frames arrived, or fewer after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self.drain()
        while self.count < n and (left := deadline - time.monotonic()) > 0:
            self._poll(left)
            self.drain()
        self.drain()
        return self.frames

    def settled(self, quiet: float = 0.1, timeout: float = 60.0) -> list[bytes]:
        """All matching frames once none arrived for `quiet` seconds; LabError after `timeout`."""
        deadline = time.monotonic() + timeout
        self.drain()
        while self._poll(quiet):
            self.drain()
            if time.monotonic() > deadline:
                raise LabError(f"{self._where}: frames still arrive after {timeout} s")
        return self.frames

    def exactly(self, n: int, timeout: float = 30.0) -> list[bytes]:
        """Waits for `n` matching frames and that no further one comes; AssertionError otherwise."""
        self.wait(n, timeout)
        self.settled()
        assert self.count == n, f"{self._where}: {self.count} frames arrived, not {n}"
        return self.frames

    def _poll(self, seconds: float) -> bool:
        readable, _, _ = select.select([self._socket], [], [], seconds)
        return bool(readable)

    def _fail_on_overflow(self) -> None:
        # Reading the two numbers sets them to zero.
        raw = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        _, dropped = struct.unpack("=II", raw)
        if dropped:
            raise LabError(f"{self._where}: the counter's own buffer lost {dropped} frames")


def with_tag(frame: bytes, ancillary: list[tuple[int, int, bytes]]) -> bytes:
    """A frame as it was on the wire, from what a socket with PACKET_AUXDATA received."""
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, *_, tci, tpid = AUXDATA.unpack(data[: AUXDATA.size])
            if status & TP_STATUS_VLAN_VALID:
                known = status & TP_STATUS_VLAN_TPID_VALID
                tag = struct.pack("!HH", tpid if known else ETHERTYPE_8021Q, tci)
                return frame[:12] + tag + frame[12:]
    return frame
