"""Attacks on the socket broker by descriptors whose close() takes for ever: a TCP socket that
lingers for an hour, a file of FUSE. Whoever sends one keeps nobody else waiting, neither clients
nor the agent."""

import itertools
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.kernel.brokered import Brokered, brokered
from tests.kernel.lab import Lab
from tests.kernel.powerless import NOBODY
from tests.kernel.raw_client import RawClient
from tests.kernel.stubborn_file import stubborn_file
from tests.kernel.test_xsk_identity import answers
from xdpredirect.xsk import closing, connections

HELLO = b"hello 1 a"
FOR_AN_HOUR, AND_RESET = struct.pack("=ii", 1, 3600), struct.pack("=ii", 1, 0)


@contextmanager
def lingering(b: Brokered) -> Iterator[socket.socket]:
    """A TCP socket with more to send than its peer, which never reads, has room for. At the end of
    the `with` the peer resets it, which ends every close() that waits."""
    with ExitStack() as stack:
        with b.dut.enter():
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            made = stack.enter_context(socket.create_connection(listening.getsockname()))
        accepted, _ = stack.enter_context(listening).accept()
        stack.callback(accepted.close)
        stack.callback(accepted.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, AND_RESET)
        made.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                made.send(bytes(1 << 20))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, FOR_AN_HOUR)
        yield made


def wait_for(b: Brokered, pending: int) -> None:
    """Until so many are being closed."""
    b.wait(lambda: b.server._closing.total() == pending)


def serves(b: Brokered) -> None:
    """Others, and the agent."""
    with b.connect() as client:
        b.receives(client)
        grants = list(b.grants)
        b.server.update(())
        assert b.is_empty()
        b.server.update(grants)


# The last record of each takes the socket along.
RECORDS = (
    (HELLO,),
    (HELLO, b"return p1 0"),
    (HELLO, b"take p1 1 64 2048"),
    (b"x", b"x"),
    (b"",),
)


def test_who_lingers_waits_alone(lab: Lab) -> None:
    with brokered(lab) as b, Path(os.devnull).open() as file:
        b.grant(users={0})
        for records, others in itertools.product(RECORDS, (0, 1, 250)):
            with lingering(b) as made:
                with b.server._lock, RawClient(b.directory) as attacker:
                    for record in records[:-1]:
                        attacker.say(record)
                    attacker.say(records[-1], *[file.fileno()] * others, made.fileno())
                    made.close()
                wait_for(b, 1)
                serves(b)
            wait_for(b, 0)


@pytest.mark.parametrize("record", [HELLO, b"return p1 0"])
def test_a_file_system_that_does_not_answer(lab: Lab, tmp_path: Path, record: bytes) -> None:
    with brokered(lab) as b, stubborn_file(tmp_path) as file:
        b.grant(users={0})
        with RawClient(b.directory) as attacker:
            if record != HELLO:
                assert attacker.ask(HELLO) == "hello 1"
            with b.server._lock:
                attacker.say(record, file.fd)
                os.close(file.fd)
                file.stubborn = True
            assert attacker.hear().startswith("refused W")
        wait_for(b, 1)
        serves(b)
    wait_for(b, 0)


def test_who_lingers_at_a_closed_door(lab: Lab) -> None:
    with brokered(lab) as b, ExitStack() as stack:
        b.grant(users={0, NOBODY})
        for _ in range(connections.MOST_OF_PEER):
            stack.enter_context(RawClient(b.directory)).ask(HELLO)
        with lingering(b) as made:
            with b.server._lock, RawClient(b.directory) as attacker:
                attacker.say(HELLO, made.fileno())
                made.close()
            wait_for(b, 1)
            assert answers(b, NOBODY, "hello 1 a", "take p1 0 64 2048")[1].startswith("bound ")
        wait_for(b, 0)


def test_who_lingers_too_often_is_served_no_more(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "STUCK_SECONDS", 0.0)
    monkeypatch.setattr(connections, "MOST_OF_PEER", 3)
    with brokered(lab) as b, ExitStack() as stack:
        b.grant(users={NOBODY})
        for number in range(connections.MOST_OF_PEER):
            made = stack.enter_context(lingering(b))
            with RawClient(b.directory) as attacker:
                assert attacker.ask(HELLO) == "hello 1"
                # The broker's must be the last descriptor, or this process waits for an hour.
                with b.server._lock:
                    attacker.say(HELLO, made.fileno())
                    made.close()
            wait_for(b, number + 1)
        with RawClient(b.directory) as attacker:
            assert attacker.hear().startswith("refused TooManyConnections ")
        assert answers(b, NOBODY, "hello 1 a", "take p1 0 64 2048")[1].startswith("bound ")
        stack.close()
        wait_for(b, 0)


def test_the_broker_can_be_closed_meanwhile(lab: Lab) -> None:
    with brokered(lab) as b:
        b.grant(users={0})
        with lingering(b) as made:
            with b.server._lock, RawClient(b.directory) as attacker:
                attacker.say(HELLO, made.fileno())
                made.close()
            wait_for(b, 1)
            first = b.server
            b.restart()
            serves(b)
        b.wait(lambda: not first._closing.total())
