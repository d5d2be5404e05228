"""The device plugin's protocol over real sockets. The map is any file here; real ones, and the
client that the protocol is for, are in tests/kernel/test_dpdk.py."""

import array
import errno
import os
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from xdpredirect.xsk.grants import CopyMode, Grant
from xdpredirect.xsk.plugin_server import MOST_OF_PEER, PLACE, SOCKET, PluginServer

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


@pytest.fixture
def maps(tmp_path: Path) -> Maps:
    return Maps(tmp_path / "map")


@pytest.fixture
def server(tmp_path: Path, maps: Maps) -> Iterator[PluginServer]:
    made = PluginServer(tmp_path, maps, [GRANT], lambda: None)
    yield made
    assert made.is_alive()
    made.close()


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
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def wait(condition: Callable[[], bool]) -> None:
    """Until it holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_map_comes_with_its_answer_as_often_as_one_asks(
    tmp_path: Path, maps: Maps, server: PluginServer
) -> None:
    for _ in range(3):
        with Client(tmp_path) as client:
            assert client.say(b"/connect,pod-1") == b"/host_ok"
            assert client.say(b"/version") == b"0.1"
            for _ in range(2):
                assert client.say(b"/xsk_map_fd,eth0") == b"/fd_ack"
            assert client.say(b"/fin") == b"/fin_ack"
            assert client.hear() is None
            assert [os.fstat(fd).st_ino for fd in client.received] == [maps.path.stat().st_ino] * 2


def test_another_user_is_told_before_there_is_anything_to_ask(
    tmp_path: Path, server: PluginServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.update([OF_ANOTHER])
    with Client(tmp_path) as client:
        assert client.say(b"/connect,root") == b"/host_nak"
        assert client.hear() is None
    assert f"of user {os.getuid()}: NotGranted" in caplog.text


def test_who_is_refused_again_and_again_does_not_fill_the_log(
    tmp_path: Path, maps: Maps, caplog: pytest.LogCaptureFixture
) -> None:
    server = PluginServer(tmp_path, maps, [OF_ANOTHER], lambda: None)
    for _ in range(100):
        with Client(tmp_path) as client:
            assert client.say(b"/connect,root") == b"/host_nak"
            assert client.hear() is None
    server.close()
    said = [words for words in caplog.messages if "NotGranted" in words]
    summed = [re.search("one of ([0-9]+) more such", words) for words in said]
    assert len(said) < 50
    assert sum(int(found[1]) if found else 1 for found in summed) == 100


def test_who_has_lost_the_grant_meanwhile_gets_no_answer(
    tmp_path: Path, server: PluginServer
) -> None:
    with Client(tmp_path) as client:
        assert client.say(b"/connect,a") == b"/host_ok"
        server.update([OF_ANOTHER])
        assert client.say(b"/xsk_map_fd,eth0") is None
        assert not client.received


def test_a_map_that_cannot_be_opened_is_no_answer_either(
    tmp_path: Path, maps: Maps, server: PluginServer, caplog: pytest.LogCaptureFixture
) -> None:
    maps.error = errno.ENOENT
    with Client(tmp_path) as client:
        assert client.say(b"/connect,a") == b"/host_ok"
        assert client.say(b"/xsk_map_fd,eth0") is None
    assert os.strerror(errno.ENOENT) in caplog.text


def test_a_socket_is_about_its_own_device(tmp_path: Path, server: PluginServer) -> None:
    server.update([GRANT, ELSEWHERE])
    with Client(tmp_path, "eth1") as client:
        assert client.say(b"/connect,a") == b"/host_ok"
        assert client.say(b"/xsk_map_fd,eth0") is None
        assert not client.received


@pytest.mark.parametrize("record", [b"/connect,a\0", b"x" * 65, b"x" * 100_000, b"/version"])
def test_what_is_no_beginning_is_the_end(
    tmp_path: Path, server: PluginServer, record: bytes
) -> None:
    with Client(tmp_path) as client:
        assert client.say(record) is None


def test_only_sockets_of_af_xdp_can_poll_and_none_is_kept(
    tmp_path: Path, server: PluginServer
) -> None:
    reading, writing = os.pipe()
    with Client(tmp_path) as client, os.fdopen(reading, "rb") as pipe:
        assert client.say(b"/connect,a") == b"/host_ok"
        answer = client.say(b"/config_busy_poll,20,64", writing)
        os.close(writing)
        assert answer == b"/config_busy_poll_nak"
        # The server has closed its end too.
        assert pipe.read() == b""


def test_sockets_come_and_go_with_their_grants(tmp_path: Path, server: PluginServer) -> None:
    place = tmp_path / PLACE
    server.update([GRANT, ELSEWHERE])
    assert sorted(path.name for path in place.iterdir()) == ["eth0", "eth1"]
    server.update([ELSEWHERE])
    assert [path.name for path in place.iterdir()] == ["eth1"]
    with Client(tmp_path, "eth1") as client:
        assert client.say(b"/connect,a") == b"/host_ok"


def test_its_end_leaves_the_directories_that_clients_have_mounted(
    tmp_path: Path, maps: Maps
) -> None:
    first = PluginServer(tmp_path, maps, [GRANT], lambda: None)
    before = (tmp_path / PLACE / "eth0").stat().st_ino
    first.close()
    assert list((tmp_path / PLACE / "eth0").iterdir()) == []
    second = PluginServer(tmp_path, maps, [GRANT], lambda: None)
    with Client(tmp_path) as client:
        assert client.say(b"/connect,a") == b"/host_ok"
    second.close()
    assert (tmp_path / PLACE / "eth0").stat().st_ino == before


def test_a_user_has_so_many_connections_and_no_more(tmp_path: Path, server: PluginServer) -> None:
    clients = [Client(tmp_path) for _ in range(MOST_OF_PEER)]
    assert all(client.say(b"/connect,a") == b"/host_ok" for client in clients)
    with Client(tmp_path) as one_more:
        assert one_more.hear() is None
    for client in clients:
        assert client.say(b"/version") == b"0.1"
        client.__exit__()


def test_what_stands_in_its_way_is_an_error(tmp_path: Path, maps: Maps) -> None:
    (tmp_path / PLACE).write_text("in the way")
    before = descriptors()
    with pytest.raises(OSError, match="afxdp_dp"):
        PluginServer(tmp_path, maps, [GRANT], lambda: None)
    assert descriptors() == before


def test_a_hundred_conversations_leave_no_descriptor(tmp_path: Path, server: PluginServer) -> None:
    def talk() -> None:
        with Client(tmp_path) as client:
            assert client.say(b"/connect,a") == b"/host_ok"
            assert client.say(b"/xsk_map_fd,eth0") == b"/fd_ack"
            assert client.say(b"/fin") == b"/fin_ack"
            assert client.hear() is None

    talk()
    before = descriptors()
    for _ in range(100):
        talk()
    # The last of them are being closed, in threads.
    wait(lambda: descriptors() <= before)


def test_where_it_cannot_accept_it_listens_again_later(
    tmp_path: Path, server: PluginServer, caplog: pytest.LogCaptureFixture
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    lowest_free = os.dup(made.fileno())
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
    try:
        made.connect(str(tmp_path / PLACE / "eth0" / SOCKET))
        wait(lambda: "cannot accept a connection" in caplog.text)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        made.close()
    with Client(tmp_path) as client:
        assert client.say(b"/connect,a") == b"/host_ok"
