"""The broker as a part of the agent: there when there is something to hand out, and again when it
has ended by a defect. Slots and sockets are not touched; tests/kernel/test_sockets_*.py do that."""

import os
import select
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from xdpredirect.agent.broker import Broker
from xdpredirect.settings import Settings
from xdpredirect.xsk import sockets
from xdpredirect.xsk.event_loop import EventLoop
from xdpredirect.xsk.grants import CopyMode, Grant
from xdpredirect.xsk.messages import NAME
from xdpredirect.xsk.plugin_server import PLACE, SOCKET
from xdpredirect.xsk.session import Session

GRANT = Grant(
    *("o", "r", "eth0", 2, frozenset({0}), frozenset({65534})),
    transmit=False,
    copy_mode=CopyMode.AUTO,
)
WHOLE = replace(GRANT, users=frozenset({os.getuid()}), whole_map="plugin8_0")
SECONDS = 20


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the broker's socket. Nobody asks whether AF_XDP sockets can be made, which is root's."""
    monkeypatch.setattr(sockets, "probe", lambda: None)
    return tmp_path / "sockets"


@pytest.fixture
def broker(directory: Path) -> Iterator[Broker]:
    settings = Settings(state_dir=directory.parent, bpffs=directory.parent, sockets_dir=directory)
    with Broker(settings) as made:
        yield made


def has_news(broker: Broker) -> bool:
    poll = select.poll()
    poll.register(broker.fileno(), select.POLLIN)
    return bool(poll.poll(SECONDS * 1000)) and broker.drain()


def test_nothing_is_made_for_nobody(broker: Broker, directory: Path) -> None:
    broker.update(())
    assert (broker.counts(), broker.sockets(), broker.problem) == ((), {}, "")
    assert not directory.exists()


def test_it_listens_from_the_first_grant_to_the_last(broker: Broker, directory: Path) -> None:
    for _ in range(2):
        broker.update([GRANT])
        Session(directory, "test").close()
        broker.update(())
        assert not (directory / NAME).exists()
        assert directory.is_dir()


def test_its_end_is_that_of_the_block(directory: Path) -> None:
    settings = Settings(state_dir=directory.parent, bpffs=directory.parent, sockets_dir=directory)
    with Broker(settings) as broker:
        broker.update([GRANT])
        assert (directory / NAME).exists()
    assert not (directory / NAME).exists()


def test_what_stands_in_its_way_is_a_problem_until_it_is_gone(
    broker: Broker, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory.write_text("in the way")
    for _ in range(3):
        broker.update([GRANT])
        assert broker.problem == f"{directory}: File exists"
    assert len(caplog.records) == 1
    directory.unlink()
    broker.update([GRANT])
    assert broker.problem == ""
    Session(directory, "test").close()


def test_the_second_agent_of_a_directory_waits_for_the_first(
    broker: Broker, directory: Path
) -> None:
    broker.update([GRANT, WHOLE])
    state = directory.parent / "other"
    state.mkdir()
    settings = Settings(state_dir=state, bpffs=state, sockets_dir=directory)
    with Broker(settings) as second:
        for grant, path in ((GRANT, NAME), (WHOLE, f"{PLACE}/eth0/{SOCKET}")):
            second.update([grant])
            assert second.problem == (
                f"{directory / path}: another agent listens there: end it, or give each "
                "a --sockets-dir of its own"
            )
        Session(directory, "test").close()
        assert greeting(directory) == b"/host_ok"
        broker.update(())
        second.update([GRANT, WHOLE])
        assert second.problem == ""
        Session(directory, "test").close()
        assert greeting(directory) == b"/host_ok"


def test_a_kernel_that_makes_no_such_socket_is_a_problem(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError(1, "the agent lacks CAP_NET_RAW", "AF_XDP")

    monkeypatch.setattr(sockets, "probe", refuse)
    broker.update([GRANT])
    assert broker.problem == "AF_XDP: the agent lacks CAP_NET_RAW"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_ends_in_another_broker(
    broker: Broker, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: EventLoop) -> None:
        raise RuntimeError("by this test")

    broker.update([GRANT])
    with monkeypatch.context() as broken:
        broken.setattr(EventLoop, "_turn", fail)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(str(directory / NAME))
            assert has_news(broker)
    broker.update([GRANT])
    Session(directory, "test").close()


def greeting(directory: Path) -> bytes:
    """What a client of the device plugin's protocol is answered."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(SECONDS)
        client.connect(str(directory / PLACE / "eth0" / SOCKET))
        client.send(b"/connect,test")
        return client.recv(128)


def test_both_protocols_come_and_go_by_themselves(broker: Broker, directory: Path) -> None:
    broker.update([GRANT, WHOLE])
    Session(directory, "test").close()
    assert greeting(directory) == b"/host_ok"
    broker.update([WHOLE])
    assert not (directory / NAME).exists()
    assert greeting(directory) == b"/host_ok"
    broker.update([GRANT])
    assert not (directory / PLACE / "eth0").exists()
    Session(directory, "test").close()


def test_what_stands_in_the_way_of_one_protocol_is_not_in_that_of_the_other(
    broker: Broker, directory: Path
) -> None:
    directory.mkdir()
    (directory / PLACE).write_text("in the way")
    broker.update([GRANT, WHOLE])
    assert PLACE in broker.problem
    Session(directory, "test").close()
    (directory / PLACE).unlink()
    broker.update([GRANT, WHOLE])
    assert broker.problem == ""
    assert greeting(directory) == b"/host_ok"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_of_the_other_protocol_ends_in_another_server(
    broker: Broker, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: EventLoop) -> None:
        raise RuntimeError("by this test")

    broker.update([WHOLE])
    with monkeypatch.context() as broken:
        broken.setattr(EventLoop, "_turn", fail)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(str(directory / PLACE / "eth0" / SOCKET))
            assert has_news(broker)
    broker.update([WHOLE])
    assert greeting(directory) == b"/host_ok"
