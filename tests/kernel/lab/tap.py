"""A tap device: the test is the wire. Made by `Lab.tap`."""

import contextlib
import fcntl
import os
import select
import struct
from pathlib import Path

from tests.kernel.lab.errors import LabError
from tests.kernel.lab.host import Host

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x2, 0x1000


class Tap:
    """What is written arrives at the interface; what the interface transmits can be read."""

    def __init__(self, host: Host, name: str) -> None:
        self.host, self.name = host, name
        with host.enter():
            self.fd = os.open(Path("/dev/net/tun"), os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                request = struct.pack("=16sH22x", name.encode(), IFF_TAP | IFF_NO_PI)
                fcntl.ioctl(self.fd, TUNSETIFF, request)
            except OSError as error:
                os.close(self.fd)
                raise LabError(f"{host.name}: tap {name}: {error}") from error

    def write(self, frame: bytes) -> None:
        """One whole Ethernet frame without FCS, as if it came from the wire."""
        os.write(self.fd, frame)

    def read(self, timeout: float = 1.0) -> bytes:
        """The next frame that the interface transmitted; empty after `timeout` seconds."""
        readable, _, _ = select.select([self.fd], [], [], timeout)
        return os.read(self.fd, 1 << 17) if readable else b""

    def close(self) -> None:
        """The interface disappears with its file descriptor; a second call does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)
