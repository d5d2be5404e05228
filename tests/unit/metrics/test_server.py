"""The pages over HTTP, and what a process says of itself."""

import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.controller.test_loop import until
from xdpredirect.metrics.process import CPU, DESCRIPTORS, RESIDENT, STARTED, process_samples
from xdpredirect.metrics.server import AT_ONCE, Answer, PageServer, listening


def broken() -> Answer:
    raise ZeroDivisionError


@pytest.fixture
def server() -> Iterator[PageServer]:
    pages = {"/metrics": lambda: Answer(200, b"a 1\n", "text/x"), "/broken": broken}
    made = PageServer("127.0.0.1", 0, pages, "pages")
    yield made
    made.close()


def get(server: PageServer, path: str) -> tuple[int, str, bytes]:
    url = f"http://127.0.0.1:{server.server_port}{path}"
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def test_a_page_is_answered_by_its_path(server: PageServer) -> None:
    assert get(server, "/metrics") == (200, "text/x", b"a 1\n")
    assert get(server, "/metrics?name=a") == (200, "text/x", b"a 1\n")
    assert get(server, "/other")[0] == 404


def test_a_defect_is_an_answer_and_not_the_end(server: PageServer) -> None:
    assert get(server, "/broken")[0] == 500
    assert get(server, "/metrics")[0] == 200


def test_a_port_that_is_taken_is_an_error(server: PageServer) -> None:
    with pytest.raises(OSError, match="in use"):
        PageServer("127.0.0.1", server.server_port, {}, "second")


def test_who_keeps_too_many_connections_is_hung_up_on(server: PageServer) -> None:
    address = ("127.0.0.1", server.server_port)
    with ExitStack() as opened:
        idle = [opened.enter_context(socket.create_connection(address)) for _ in range(AT_ONCE)]
        more = opened.enter_context(socket.create_connection(address))
        more.settimeout(20)
        assert more.recv(1) == b"", "closed without an answer"
        for one in idle:
            one.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            one.settimeout(20)
            assert one.recv(12) == b"HTTP/1.0 200"
    until(lambda: server._free._value == AT_ONCE, "all of them are through")
    assert get(server, "/metrics")[0] == 200


def test_ipv6() -> None:
    made = PageServer("::1", 0, {}, "six")
    try:
        assert made.socket.family == socket.AF_INET6
    finally:
        made.close()


def test_an_address_is_a_host_and_a_port() -> None:
    assert listening(":8080") == ("", 8080)
    assert listening("127.0.0.1:9464") == ("127.0.0.1", 9464)
    assert listening("[fd00::5]:9464") == ("fd00::5", 9464)
    assert listening("fd00::5:9464") == ("fd00::5", 9464)


def test_the_process_is_this_one() -> None:
    found = {sample.metric: sample.value for sample in process_samples()}
    status = Path("/proc/self/status").read_text()
    resident = int(status.split("VmRSS:")[1].split()[0]) * 1024
    assert found[RESIDENT] == pytest.approx(resident, rel=0.2)
    times = os.times()
    assert 0 < found[CPU] <= times.user + times.system + 0.1
    assert found[DESCRIPTORS] >= 3
    assert 0 < found[STARTED] <= time.time() + 2
