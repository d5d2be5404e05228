"""A client of the device plugin's protocol, and what stands for the maps. Used by
test_plugin_server*.py."""

import array
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from xdpredirect.xsk.grants import CopyMode, Grant
from xdpredirect.xsk.plugin_server import PLACE, SOCKET

SECONDS = 20.0
GRANT = Grant(
    *("o", "r", "eth0", 2, frozenset({0}), frozenset({os.getuid()})),
    transmit=True,
    copy_mode=CopyMode.AUTO,
    whole_map="plugin16_0",
)
ELSEWHERE = replace(GRANT, interface="eth1", ifindex=3)
OF_ANOTHER = replace(GRANT, users=frozenset({os.getuid() + 1}))


class Maps:
    """Opens the file that stands for every map, or fails."""

    def __init__(self, path: Path) -> None:
        self.path, self.error = path, 0
        self.devices: dict[str, str] = {}
        self.looked = 0
        path.write_text("map")

    def whole(self, grant: Grant) -> int:
        assert grant.whole_map
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return os.open(self.path, os.O_RDWR)

    def device_of(self, grant: Grant, pid: int) -> str:
        assert pid == os.getpid()
        self.looked += 1
        return self.devices.get(grant.interface, "")


class Client:
    """Says records and hears answers; None is the end."""

    def __init__(
        self, directory: Path, device: str = "eth0", connected: socket.socket | None = None
    ) -> None:
        self.socket = connected or socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(SECONDS)
        if connected is None:
            self.socket.connect(str(directory / PLACE / device / SOCKET))
        self.received: list[int] = []

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        for descriptor in self.received:
            os.close(descriptor)

    def say(self, record: bytes, *descriptors: int) -> bytes | None:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        self.socket.sendmsg([record], [rights] if descriptors else [])
        return self.hear()

    def hear(self) -> bytes | None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self.socket, 128, 4)
        except ConnectionResetError:
            # The server has not read all that was said.
            return None
        self.received += descriptors
        return data or None


def descriptors() -> int:
    """How many this process has, once none is being closed any more."""
    wait(lambda: "xsk-closing" not in {thread.name for thread in threading.enumerate()})
    return len(list(Path("/proc/self/fd").iterdir()))


def wait(condition: Callable[[], bool]) -> None:
    """Until it holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
