"""A pod that brings a socket before its grant is there is kept waiting, and what it has sent with
the request is closed in every way that this can end. Real ones are in tests/kernel/test_moved_*."""

import os
import select
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.unit.xsk.plugin import GRANT as OF_A_USER
from tests.unit.xsk.plugin import wait
from xdpredirect.xsk import door, protocol
from xdpredirect.xsk.channel import Channel
from xdpredirect.xsk.client_log import ClientLog
from xdpredirect.xsk.closing import Closing
from xdpredirect.xsk.connection import Connection
from xdpredirect.xsk.grants import Grant, Peer
from xdpredirect.xsk.leases import Leases
from xdpredirect.xsk.messages import NAME
from xdpredirect.xsk.server import Server, log

POD, NETNS = "6e1a0f1c-58c8-4f2e-9a51-00000000000a", 7
GRANT = replace(OF_A_USER, users=frozenset(), pods=frozenset({POD}), whole_map="", away=True)
HELLO, BRING = b"hello 1 a", b"bring eth0 0"
SECONDS = 60.0


class NoSlots:
    """Nothing that is brought here is a socket, so that no slot is ever filled."""

    def insert(self, grant: Grant, queue: int, socket_fd: int) -> None:
        raise AssertionError(grant, queue, socket_fd)

    def remove(self, grant: Grant, queue: int) -> None:
        raise AssertionError(grant, queue)


class Pod:
    """A process of the pod, and what it sends along: the end of a pipe."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["sleep", "600"])
        self.own, self.sent = os.pipe()

    def who(self) -> tuple[Peer, int]:
        pid = self.process.pid
        return Peer(pid, os.getuid(), POD, NETNS), os.pidfd_open(pid)

    def bring(self, connection: socket.socket) -> None:
        socket.send_fds(connection, [BRING], [self.sent])
        os.close(self.sent)
        self.sent = -1

    def is_kept(self) -> bool:
        """Whether anybody has what was sent."""
        return not self._ends(0)

    def is_closed(self) -> bool:
        """Waits until nobody has it."""
        return self._ends(SECONDS)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.end()
        os.close(self.own)
        if self.sent >= 0:
            os.close(self.sent)

    def _ends(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self.own, 0)
        return bool(poll.poll(seconds * 1000))


class Waiting:
    """A connection that has brought, and has no answer."""

    def __init__(self, pod: Pod, memory: Path) -> None:
        self.pod, self.leases = pod, Leases(NoSlots(), memory)
        self.client, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.client.settimeout(SECONDS)
        channel = Channel(ours, pod.who(), Closing())
        self.connection = Connection(channel, self.leases, ClientLog(log))
        self.client.send(HELLO)
        self.connection.read()
        assert self.client.recv(128) == b"hello 1"
        pod.bring(self.client)
        self.connection.read()
        assert self.connection.waiting
        assert pod.is_kept()

    def reason(self) -> str:
        """Why it is refused."""
        return self.client.recv(512).split()[1].decode()


@pytest.fixture
def pod() -> Iterator[Pod]:
    made = Pod()
    yield made
    made.close()


@pytest.fixture
def waiting(pod: Pod, tmp_path: Path) -> Iterator[Waiting]:
    made = Waiting(pod, tmp_path / "sockets.json")
    yield made
    # Unless the test has ended it.
    if made.connection.channel.socket.fileno() >= 0:
        made.connection.close()
    made.client.close()
    assert pod.is_closed()


def test_it_is_looked_at_once_it_is_granted(waiting: Waiting) -> None:
    waiting.connection.expire()
    assert waiting.connection.waiting
    assert waiting.pod.is_kept()
    waiting.leases.update([GRANT])
    waiting.connection.expire()
    assert not waiting.connection.waiting
    assert waiting.reason() == "WrongSocket"
    assert waiting.pod.is_closed()
    assert not waiting.connection.channel.over


def test_it_is_refused_when_it_has_waited_for_long_enough(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "PATIENCE_SECONDS", 0.0)
    waiting.connection.expire()
    assert not waiting.connection.waiting
    assert waiting.reason() == "NotGranted"
    assert waiting.pod.is_closed()
    assert not waiting.connection.channel.over


def test_it_is_kept_until_the_connection_ends(waiting: Waiting) -> None:
    assert not waiting.connection.reads()
    waiting.connection.close()
    assert waiting.pod.is_closed()


def test_nobody_gets_what_one_has_waited_for_that_has_ended(waiting: Waiting) -> None:
    waiting.leases.update([GRANT])
    waiting.pod.end()
    waiting.connection.expire()
    assert waiting.connection.channel.over
    waiting.client.setblocking(False)
    with pytest.raises(BlockingIOError):
        waiting.client.recv(512)


def test_a_defect_while_it_waits(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("by this test")

    monkeypatch.setattr(waiting.leases, "bring", fail)
    with pytest.raises(RuntimeError, match="by this test"):
        waiting.connection.expire()


class Served(NamedTuple):
    """A server with one client, whose process is the pod's, that has brought."""

    server: Server
    client: socket.socket


def has_a_client_that_waits(server: Server) -> bool:
    with server._lock:
        return any(connection.waiting for connection in server._connections)


@pytest.fixture
def served(pod: Pod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(door, "identify", lambda _: pod.who())
    # Or the wait would end by itself.
    monkeypatch.setattr(protocol, "PATIENCE_SECONDS", 3600.0)
    server = Server(tmp_path, NoSlots(), tmp_path / "sockets.json")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(SECONDS)
        client.connect(str(tmp_path / NAME))
        client.send(HELLO)
        assert client.recv(128) == b"hello 1"
        pod.bring(client)
        wait(lambda: has_a_client_that_waits(server))
        yield Served(server, client)
    server.close()
    assert pod.is_closed()


def test_it_is_closed_at_the_end_of_the_process(served: Served, pod: Pod) -> None:
    pod.end()
    assert served.client.recv(512) == b""
    assert pod.is_closed()
    assert served.server.is_alive()


def test_it_is_closed_at_the_end_of_the_server(served: Served) -> None:
    """By the fixture, which looks."""
    assert served.server.is_alive()


def test_what_is_said_while_it_waits_is_answered_afterwards(served: Served) -> None:
    served.client.send(b"release eth0 1")
    served.server.update([GRANT])
    assert [served.client.recv(512).split()[1] for _ in range(2)] == [b"WrongSocket", b"NotHeld"]
