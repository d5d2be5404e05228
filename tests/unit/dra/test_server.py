"""The socket of a driver: several calls at once, defects that stay in their call, an end."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.dra.grpc_client import SECONDS, Connected
from xdpredirect.dra.http2 import INVALID, UNIMPLEMENTED, UNKNOWN
from xdpredirect.dra.server import Method, Server
from xdpredirect.errors import InvalidInput


class Methods:
    """`/wait` is answered once somebody has called `/go`."""

    def __init__(self) -> None:
        self.gone = threading.Event()
        self.table: dict[str, Method] = {
            "/echo": lambda message: message,
            "/wait": self.wait,
            "/go": self.go,
            "/bad": self.bad,
            "/defect": self.defect,
        }

    def wait(self, message: bytes) -> bytes:
        assert self.gone.wait(SECONDS)
        return message

    def go(self, message: bytes) -> bytes:
        self.gone.set()
        return message

    def bad(self, _: bytes) -> bytes:
        raise InvalidInput(("no such thing",))

    def defect(self, _: bytes) -> bytes:
        raise ZeroDivisionError("by nobody")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "driver.sock"


@pytest.fixture
def server(path: Path) -> Iterator[Server]:
    with Server(path, Methods().table) as made:
        yield made


@pytest.fixture
def client(server: Server, path: Path) -> Iterator[Connected]:
    connected = Connected(path)
    yield connected
    connected.close()


def test_a_call_is_answered(client: Connected) -> None:
    assert client.ask("/echo", b"x" * 50_000).message == b"x" * 50_000


def test_a_call_that_waits_holds_up_no_other(client: Connected) -> None:
    waiting, going = client.call("/wait", b"w"), client.call("/go", b"g")
    replies = client.until(waiting, going)
    assert [(reply.message[5:], reply.status) for reply in replies] == [(b"w", 0), (b"g", 0)]


@pytest.mark.parametrize(
    ("method", "status", "words"),
    [
        ("/bad", INVALID, "no such thing"),
        ("/nothing", UNIMPLEMENTED, "there is no /nothing"),
        ("/defect", UNKNOWN, "ZeroDivisionError: by nobody"),
    ],
)
def test_what_fails_says_why_and_the_next_call_works(
    client: Connected, method: str, status: int, words: str
) -> None:
    reply = client.ask(method, b"")
    assert (reply.status, reply.words) == (status, words)
    assert client.ask("/echo", b"y").message == b"y"


def test_only_root_may_connect(server: Server, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_next_server_takes_the_place_of_one_that_died(path: Path) -> None:
    first = Server(path, {"/who": lambda _: b"first"})
    second = Server(path, {"/who": lambda _: b"second"})
    client = Connected(path)
    assert client.ask("/who", b"").message == b"second"
    client.close()
    first.close()
    second.close()


def test_the_end_hangs_up_and_leaves_nothing(path: Path) -> None:
    before = threading.active_count()
    server = Server(path, Methods().table)
    client = Connected(path)
    assert client.ask("/echo", b"z").message == b"z"
    server.close()
    with pytest.raises((EOFError, OSError)):
        client.ask("/echo", b"z")
    client.close()
    assert not path.exists()
    assert threading.active_count() == before


def test_there_are_not_any_number_of_connections(server: Server, path: Path) -> None:
    clients = [Connected(path) for _ in range(16)]
    assert [client.ask("/echo", b"x").message for client in clients] == [b"x"] * 16
    refused = Connected(path)
    with pytest.raises((EOFError, OSError)):
        refused.ask("/echo", b"x")
    for client in (*clients, refused):
        client.close()
