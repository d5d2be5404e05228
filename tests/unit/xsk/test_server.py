"""The broker as a server: who is let in, who waits outside, and that nothing of it is left. What it
hands out is in tests/kernel/test_xsk_*."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.xsk.plugin import SECONDS, descriptors, wait
from xdpredirect.xsk.connections import MOST_CONNECTIONS, MOST_OF_PEER
from xdpredirect.xsk.grants import Grant
from xdpredirect.xsk.messages import NAME
from xdpredirect.xsk.server import Server

HELLO = b"hello 1 a"
DEAF = "cannot accept a connection: too many are not closed yet"


class NoSlots:
    """Nobody is granted anything here."""

    def insert(self, grant: Grant, queue: int, socket_fd: int) -> None:
        raise AssertionError(grant, queue, socket_fd)

    def remove(self, grant: Grant, queue: int) -> None:
        raise AssertionError(grant, queue)


def make(directory: Path) -> Server:
    return Server(directory, NoSlots(), directory.parent / "sockets.json")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "sockets"


@pytest.fixture
def server(directory: Path) -> Iterator[Server]:
    with make(directory) as made:
        yield made
        assert made.is_alive()


def connect(directory: Path, stack: ExitStack) -> socket.socket:
    made = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    made.settimeout(SECONDS)
    made.connect(str(directory / NAME))
    return made


def greet(client: socket.socket) -> bytes:
    client.send(HELLO)
    return client.recv(512)


def test_while_too_much_is_not_closed_nobody_is_accepted(
    server: Server,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ExitStack() as stack:
        before = connect(directory, stack)
        assert greet(before) == b"hello 1"
        with monkeypatch.context() as full:
            full.setattr(server._closing, "total", lambda: MOST_CONNECTIONS)
            outside = connect(directory, stack)
            outside.send(HELLO)
            wait(lambda: DEAF in caplog.messages)
            # Others are served meanwhile.
            before.send(b"release eth0 0")
            assert before.recv(512).startswith(b"refused NotHeld ")
        assert outside.recv(512) == b"hello 1"


def test_a_user_has_so_many_connections_and_no_more(server: Server, directory: Path) -> None:
    with ExitStack() as stack:
        clients = [connect(directory, stack) for _ in range(MOST_OF_PEER)]
        assert {greet(client) for client in clients} == {b"hello 1"}
        one_more = connect(directory, stack)
        words = f"a user or a pod has {MOST_OF_PEER} at most"
        assert one_more.recv(512) == f"refused TooManyConnections {words}".encode()
        assert one_more.recv(512) == b""
        clients.pop().close()
        wait(lambda: greeted_again(directory))


def greeted_again(directory: Path) -> bool:
    """Whether there is room for one more by now."""
    with ExitStack() as stack:
        client = connect(directory, stack)
        try:
            return greet(client) == b"hello 1"
        except OSError:
            return False


@pytest.mark.parametrize("in_the_way", [True, False])
def test_it_leaves_no_descriptor(directory: Path, in_the_way: bool) -> None:
    before = descriptors()
    if in_the_way:
        directory.write_text("in the way")
        with pytest.raises(OSError, match="sockets"):
            make(directory)
    else:
        with make(directory), ExitStack() as stack:
            assert greet(connect(directory, stack)) == b"hello 1"
        assert not (directory / NAME).exists()
    assert descriptors() == before
