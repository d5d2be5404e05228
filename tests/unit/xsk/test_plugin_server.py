"""The device plugin's protocol over real sockets. The map is any file here; real ones, and the
client that the protocol is for, are in tests/kernel/test_dpdk.py."""

import errno
import os
import re
from pathlib import Path

import pytest

from tests.unit.xsk.plugin import (
    ELSEWHERE,
    GRANT,
    OF_ANOTHER,
    Client,
    Maps,
)
from xdpredirect.xsk.plugin_server import PluginServer


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
