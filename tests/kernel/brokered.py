"""A broker of AF_XDP sockets on a host of the lab, before a real XSKMAP and a minimal program.

Used by test_xsk_*.py. The agent's own wiring is tested elsewhere; here nothing but the broker is
between the map and a client.

    with brokered(lab) as b:
        b.grant(users={NOBODY})
        with b.receiver("--count", "3") as client:
            b.source.send(frames)
"""

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import Popen

from tests.kernel.bytecode import redirect_map
from tests.kernel.lab import Lab
from tests.kernel.scene import Scene
from xdpredirect.datapath.abi import U32
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.errors import KernelError
from xdpredirect.kernel.maps import Map, create_map
from xdpredirect.xsk.client import XskSocket, connect
from xdpredirect.xsk.grants import CopyMode, Grant
from xdpredirect.xsk.server import Server
from xdpredirect.xsk.uapi import AF_XDP

PATIENCE_SECONDS = 60.0
QUEUES, RULES = 8, 4
# The tests are no installed package.
PYTHON_PATH = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}


class MapSlots:
    """The slots of one XSKMAP: each rule has as many as there are queues. Only those of the first
    get frames here."""

    def __init__(self, slots: Map) -> None:
        self._map = slots

    def insert(self, grant: Grant, queue: int, socket_fd: int) -> None:
        try:
            self._map.put(slot(queue, grant), U32.pack(socket_fd), new=True)
        except KernelError as error:
            raise OSError(error.errno, str(error)) from error

    def remove(self, grant: Grant, queue: int) -> None:
        self._map.delete(slot(queue, grant))


def slot(queue: int, grant: Grant | None = None) -> bytes:
    """The key of a queue for a rule, as Brokered.grant names it."""
    rule = int(grant.rule.removeprefix("rule-")) if grant else 0
    return U32.pack(rule * QUEUES + queue)


class Brokered:
    """Host `dut` with interface `p1`; whatever `source` sends arrives on its queue 0."""

    def __init__(self, lab: Lab, stack: ExitStack, queues: int, mtu: int) -> None:
        self.scene = Scene(lab, stack, queues=queues, mtu=mtu, monitor=False)
        self.dut, self.source = self.scene.dut, self.scene.source
        self.map = create_map(MapSpec("sockets", MapType.XSKMAP, 4, 4, QUEUES * RULES))
        stack.callback(self.map.close)
        self.slots = MapSlots(self.map)
        self.scene.run(redirect_map(self.map.fd, flags=1))
        self.directory = self.dut.state_dir / "sockets"
        self.memory = self.dut.state_dir / "sockets.json"
        self.grants: list[Grant] = []
        self.start()
        stack.callback(self.stop)

    def start(self) -> None:
        """A broker, in place of the one that was stopped."""
        with self.dut.enter():
            self.server = Server(self.directory, self.slots, self.memory, self.grants)

    def stop(self) -> None:
        """As at the end of an agent."""
        self.server.close()

    def restart(self) -> None:
        """As an agent that is replaced by the next."""
        self.server.close()
        self.start()

    def grant(self, users: set[int], queues: set[int] | None = None, **fields: object) -> Grant:
        """One more grant; returns it."""
        made = Grant(
            redirect="r",
            rule=f"rule-{len(self.grants)}",
            interface="p1",
            ifindex=self.scene.ingress.ifindex,
            queues=frozenset(queues or {0}),
            users=frozenset(users),
            transmit=False,
            copy_mode=CopyMode.AUTO,
        )
        made = replace(made, **fields)  # type: ignore[arg-type]
        self.grants.append(made)
        self.server.update(self.grants)
        return made

    def connect(self, queue: int = 0, frames: int = 64) -> XskSocket:
        """Our client in this process, which is root's."""
        return connect(self.directory, "p1", queue, frames=frames)

    def receiver(self, *words: str) -> AbstractContextManager[Popen[str]]:
        """`xdpredirect receive p1` as nobody, without capabilities."""
        return self.python("-m", "tests.kernel.powerless", "receive", "p1", *words)

    def python(self, *words: str) -> AbstractContextManager[Popen[str]]:
        """Python on the host of the broker."""
        here = {"XDPREDIRECT_SOCKETS_DIR": str(self.directory), **PYTHON_PATH}
        return self.dut.running([sys.executable, *words], env=here)

    def frames(self, count: int, length: int = 64) -> list[bytes]:
        """Frames that differ in their number."""
        whole = self.scene.frame(length)
        return [whole[:-4] + number.to_bytes(4, "big") for number in range(count)]

    def receives(self, client: XskSocket, count: int = 20) -> None:
        """A client of queue 0 gets exactly the frames that are sent."""
        frames = self.frames(count)
        self.source.send(frames)
        found: list[bytes] = []
        while len(found) < len(frames):
            assert client.wait(PATIENCE_SECONDS)
            found += client.receive()
        assert found == frames

    def wait(self, condition: Callable[[], object]) -> None:
        """Until it holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.server.report()
            time.sleep(0.01)

    def is_empty(self, queue: int = 0, grant: Grant | None = None) -> bool:
        """Whether the slot takes a socket: XSKMAPs cannot be read."""
        with self.dut.enter():
            probe = unbound()
        try:
            self.map.put(slot(queue, grant), U32.pack(probe.fileno()), new=True)
        except KernelError:
            return False
        finally:
            probe.close()
        self.map.delete(slot(queue, grant))
        return True


def unbound() -> socket.socket:
    """An AF_XDP socket of the calling thread's network namespace."""
    return socket.socket(AF_XDP, socket.SOCK_RAW, 0)


@contextmanager
def brokered(lab: Lab, *, queues: int = 1, mtu: int = 1500) -> Iterator[Brokered]:
    """Until the end of the `with`."""
    with ExitStack() as stack:
        yield Brokered(lab, stack, queues, mtu)
