"""Counts the frames that the network stack takes from an interface, by the CPU that takes them.

Called by the tests of CPUs and CPUTable. A group of packet sockets in PACKET_FANOUT_CPU mode: the
kernel hands each frame to the socket whose place in the group is the number of the CPU.
"""

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Iterator

from tests.kernel.lab import Port
from tests.kernel.lab.counter import ETH_P_ALL, PACKET_AUXDATA, SOL_PACKET, with_tag

PACKET_FANOUT = 18
FANOUT_CPU, IGNORE_OUTGOING = 2, 0x4000
CPUS = os.cpu_count() or 1


@contextlib.contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """The calling thread stays on one CPU, and with it the arrival of frames that it sends."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class CpuCounter:
    """Frames by CPU from the time it was made; `read` waits for them."""

    def __init__(self, port: Port) -> None:
        self._stack = contextlib.ExitStack()
        self._sockets: list[socket.socket] = []
        with port.host.enter():
            for _ in range(CPUS):
                opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                self._stack.enter_context(opened)
                opened.setblocking(False)
                opened.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
                opened.bind((port.name, ETH_P_ALL))
                option = port.ifindex | (FANOUT_CPU | IGNORE_OUTGOING) << 16
                opened.setsockopt(SOL_PACKET, PACKET_FANOUT, struct.pack("=I", option))
                self._sockets.append(opened)

    def __enter__(self) -> "CpuCounter":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, n: int, timeout: float = 30.0) -> dict[int, list[bytes]]:
        """Frames by CPU, CPUs without any left out; returns when `n` came and then none for a
        while, or with what there is after `timeout` seconds."""
        found: dict[int, list[bytes]] = {}
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            enough = sum(map(len, found.values())) >= n
            ready, _, _ = select.select(self._sockets, [], [], 0.1 if enough else 1.0)
            if enough and not ready:
                break
            for opened in ready:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        octets, ancillary, _, _ = opened.recvmsg(1 << 17, 64)
                        frames = found.setdefault(self._sockets.index(opened), [])
                        frames.append(with_tag(octets, ancillary))
        return found
