"""Attacks on the socket broker by what is sent to it: each fails with its reason, and nothing of it
stays; whoever behaves is served as before."""

import logging
import os
import random
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.kernel.brokered import Brokered, brokered
from tests.kernel.lab import Lab
from tests.kernel.raw_client import RawClient
from xdpredirect.errors import SocketRefused
from xdpredirect.xsk import connections, protocol

HELLO, TAKE = b"hello 1 a", b"take p1 0 64 2048"
# SCM_MAX_FD of the kernel.
MOST_DESCRIPTORS = 253
MEGABYTE = 1 << 20
CYCLES = 50


def descriptors() -> int:
    """How many this process has, which is also the broker's."""
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def attacked(lab: Lab) -> Iterator[Brokered]:
    """A broker that grants queue 0 to root, who is the attacker here. In the end it serves as ever,
    and has not one descriptor more."""
    with brokered(lab) as b:
        b.grant(users={0})
        before = descriptors()
        yield b
        b.wait(lambda: descriptors() == before)
        with b.connect() as client:
            b.receives(client)
        b.wait(lambda: not b.server.report() and descriptors() == before)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([HELLO, b"take p1 0 64 2048" + b" " * 112], "TooLong"),
        ([b"hello 1 " + b"a" * 121], "TooLong"),
        ([b"\0" * 129], "TooLong"),
        ([HELLO, b"\xff" * MEGABYTE], "TooLong"),
        ([b"hello 1 ", b"a"], "Malformed"),
        ([HELLO, b"take p1 0", b" 64 2048"], "Malformed"),
        ([b"hello 1 a\ntake p1 0 64 2048"], "Malformed"),
        ([HELLO, HELLO], "Malformed"),
        ([b"/connect,pod"], "Malformed"),
        ([b"hello 2 a"], "Version"),
        ([TAKE], "NoHello"),
    ],
    ids=lambda value: f"{len(value[-1])}-octets" if isinstance(value, list) else value,
)
def test_records_that_are_none(lab: Lab, records: list[bytes], reason: str) -> None:
    with attacked(lab) as b, RawClient(b.directory) as client:
        client.make_room(4 * MEGABYTE)
        for record in records:
            client.say(record)
            heard = client.hear()
            if heard != "hello 1":
                break
        assert heard.split()[:2] == ["refused", reason]
        assert client.hear() == ""


def test_an_empty_record_is_the_end(lab: Lab) -> None:
    with attacked(lab) as b, RawClient(b.directory) as client:
        assert client.ask(HELLO) == "hello 1"
        assert client.ask(b"") == ""


@pytest.mark.parametrize(
    ("number", "record", "reason"),
    [
        (MOST_DESCRIPTORS, HELLO, "TooLong"),
        (MOST_DESCRIPTORS, b"return p1 0", "TooLong"),
        (2, b"return p1 0", "WrongDescriptors"),
        (1, HELLO, "WrongDescriptors"),
        (1, TAKE, "WrongDescriptors"),
        (0, b"return p1 0", "WrongDescriptors"),
    ],
)
def test_a_flood_of_descriptors(lab: Lab, number: int, record: bytes, reason: str) -> None:
    with attacked(lab) as b, Path(os.devnull).open() as file:
        given = [file.fileno()] * number
        for _ in range(50):
            with RawClient(b.directory) as client:
                if record != HELLO:
                    assert client.ask(HELLO) == "hello 1"
                assert client.reason(record, *given) == reason
                assert client.hear() == ""


def test_descriptors_that_nobody_reads_any_more(lab: Lab) -> None:
    with attacked(lab) as b, Path(os.devnull).open() as file:
        for _ in range(20):
            with RawClient(b.directory) as client, suppress(OSError):
                for _ in range(50):
                    client.say(b"x", *[file.fileno()] * MOST_DESCRIPTORS)


def test_a_megabyte_of_garbage_in_records(lab: Lab) -> None:
    generator, sent, connections = random.Random(7), 0, 0
    with attacked(lab) as b, Path(os.devnull).open() as file:
        while sent < MEGABYTE:
            connections += 1
            with RawClient(b.directory) as client, suppress(OSError):
                client.say(HELLO)
                while True:
                    garbage = generator.randbytes(generator.randrange(1, 20_000))
                    client.say(garbage, *[file.fileno()] * generator.randrange(4))
                    sent += len(garbage)
    assert connections > 5


def test_silence(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with attacked(lab) as b:
        with monkeypatch.context() as short, RawClient(b.directory) as mute:
            short.setattr(protocol, "HELLO_SECONDS", 0.05)
            assert mute.hear() == "refused TooSlow nothing came in time"
            assert mute.hear() == ""
        with monkeypatch.context() as short, RawClient(b.directory) as shy:
            short.setattr(protocol, "IDLE_SECONDS", 0.05)
            assert shy.ask(HELLO) == "hello 1"
            assert shy.hear() == "refused TooSlow nothing came in time"
            assert shy.hear() == ""


def test_who_is_refused_again_and_again(lab: Lab) -> None:
    with attacked(lab) as b, RawClient(b.directory) as client:
        assert client.ask(HELLO) == "hello 1"
        for _ in range(protocol.MOST_REFUSALS):
            assert client.reason(b"take p1 1 64 2048") == "NotGranted"
        assert client.hear() == ""


def test_a_defect_ends_the_connection_that_has_found_it_and_no_other(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    receive = protocol.receive

    def defective(talk: protocol.Talk, received: protocol.Received) -> protocol.Step:
        if received.data == b"release p1 7":
            raise RuntimeError("a defect")
        return receive(talk, received)

    monkeypatch.setattr(protocol, "receive", defective)
    with attacked(lab) as b, RawClient(b.directory) as other, Path(os.devnull).open() as file:
        assert other.ask(HELLO) == "hello 1"
        with RawClient(b.directory) as client:
            assert client.ask(HELLO) == "hello 1"
            assert client.ask(TAKE).startswith("bound ")
            assert client.ask(b"release p1 7", file.fileno()) == ""
        assert "a defect" in caplog.text
        assert other.ask(TAKE).startswith("bound ")


def test_connections_of_one_user(lab: Lab) -> None:
    with attacked(lab) as b, ExitStack() as stack:
        for _ in range(connections.MOST_OF_PEER):
            client = stack.enter_context(RawClient(b.directory))
            assert client.ask(HELLO) == "hello 1"
        for _ in range(100):
            with RawClient(b.directory) as more:
                words = f"a user or a pod has {connections.MOST_OF_PEER} at most"
                assert more.hear() == f"refused TooManyConnections {words}"
                assert more.hear() == ""
            # Our own client says hello at once, whether or not it is too late for that.
            with pytest.raises(SocketRefused, match="TooManyConnections"):
                b.connect()
        assert client.ask(TAKE).startswith("bound ")


def test_connections_of_all(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)
    with attacked(lab) as b, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(RawClient(b.directory)).ask(HELLO)
        with RawClient(b.directory) as more:
            assert more.hear() == "refused TooManyConnections the broker serves 3 at most"


def test_a_broker_without_descriptors_waits_for_them(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with attacked(lab) as b, ExitStack() as stack:
        client = stack.enter_context(RawClient(b.directory))
        assert client.ask(HELLO) == "hello 1"
        late = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stack.enter_context(late)
        resource.setrlimit(resource.RLIMIT_NOFILE, (late.fileno() + 1, hard))
        try:
            late.connect(str(b.directory / "broker.sock"))
            late.send(HELLO)
            b.wait(lambda: "cannot accept a connection" in caplog.text)
            assert client.reason(b"take p1 9 64 2048") == "NotGranted"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        late.settimeout(60.0)
        assert late.recv(64) == b"hello 1"


def test_who_comes_and_goes_all_the_time_does_not_fill_the_log(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "xdpredirect.xsk")
    with brokered(lab) as b:
        b.grant(users={0})
        # Nor does a disk on which nothing can be written.
        b.memory.mkdir()
        for _ in range(CYCLES):
            b.connect().close()
        b.wait(lambda: not b.server.report())
    said = [text for text in caplog.messages if "handed to process" in text]
    summed = [re.search("one of ([0-9]+) more such", text) for text in said]
    assert len(said) < CYCLES / 2
    assert sum(int(found[1]) if found else 1 for found in summed) == CYCLES
    assert sum("the next agent will not know" in text for text in caplog.messages) == 1
