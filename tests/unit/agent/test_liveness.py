"""An agent whose threads have ended by a defect ends too, instead of looking healthy for ever."""

import socket
import threading
from pathlib import Path

import pytest

from tests.unit.agent.test_node_orders import node
from tests.unit.agent.test_node_source import Cluster, news, patiently, source
from xdpredirect.agent import loop, report_policy
from xdpredirect.agent.outcome import Outcome
from xdpredirect.errors import KernelError
from xdpredirect.settings import Settings


class Ailing:
    """A source without news; `turns` is how many passes its threads outlive."""

    def __init__(self, turns: int) -> None:
        self.turns = turns
        self.takes = 0
        self.ends = socket.socketpair()

    def fileno(self) -> int:
        return self.ends[0].fileno()

    def drain(self) -> bool:
        return False

    def take(self) -> bool:
        self.takes += 1
        return True

    def report(self, outcome: Outcome) -> None:
        raise AssertionError(outcome)

    def failed(self, words: str) -> None:
        assert "look at the machine" in words

    def ended(self) -> str:
        return "reporter" if self.takes > self.turns else ""


class Blind:
    """A machine that cannot be looked at."""

    def __init__(self, *_: object) -> None:
        pass

    def converge(self) -> Outcome:
        raise KernelError("look at the machine", 1)


def test_the_agent_ends_with_its_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop, "MachineAgent", Blind)
    ailing = Ailing(turns=3)
    settings = Settings(state_dir=tmp_path, resync_seconds=0.01)
    assert loop._follow(settings, ailing) == 1
    assert ailing.takes == 4, "not before"
    assert "reporter has ended" in caplog.text
    for end in ailing.ends:
        end.close()


def test_a_reporter_that_died_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: died.append(args.exc_type))
    with source(Cluster(node()), tmp_path) as (made, _):
        news(made)
        assert made.take()
        assert made.ended() == ""

        def defect(*_: object) -> float:
            raise ZeroDivisionError

        monkeypatch.setattr(report_policy, "due", defect)
        made.failed("anything to say")
        for _ in patiently():
            if made.ended():
                break
        assert made.ended() == "reporter"
    assert died == [ZeroDivisionError]


def test_a_reflector_of_sets_that_died_is_named(tmp_path: Path) -> None:
    with source(Cluster(node(addressSets=["s"])), tmp_path) as (made, _):
        news(made)
        assert made.take()
        assert made.ended() == ""
        (reflector,) = made._sets.threads
        reflector.stop()
        for _ in patiently():
            if made.ended():
                break
        assert made.ended() == "reflector-xdpaddresssets"
