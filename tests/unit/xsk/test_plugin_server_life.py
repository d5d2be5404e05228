"""The sockets of the device plugin's protocol: they come, go, and leave nothing."""

import os
import resource
import socket
from pathlib import Path

import pytest

from tests.unit.xsk.plugin import (
    ELSEWHERE,
    GRANT,
    Client,
    Maps,
    descriptors,
    wait,
)
from xdpredirect.xsk.connections import MOST_OF_PEER
from xdpredirect.xsk.plugin_server import PLACE, SOCKET, PluginServer


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
