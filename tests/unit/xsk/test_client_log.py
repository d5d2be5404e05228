"""The log of what clients do, as somebody reads it."""

import logging

import pytest

from xdpredirect.xsk import client_log
from xdpredirect.xsk.client_log import ClientLog
from xdpredirect.xsk.log_limit import LINES, WINDOW_SECONDS

ALICE, POD = (1000, ""), (65532, "d3b07384")


class Clock:
    """What the log takes for the time."""

    def __init__(self) -> None:
        self.now = 5.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(client_log, "time", made)
    return made


@pytest.fixture
def log(clock: Clock, caplog: pytest.LogCaptureFixture) -> ClientLog:
    caplog.set_level(logging.INFO)
    return ClientLog(logging.getLogger("xdpredirect.test"))


def test_a_client_that_comes_and_goes_is_summed_up(
    log: ClientLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for pid in range(1208):
        log.info(ALICE, "%s: handed to process %s", "socket", pid)
        log.info(ALICE, "%s: given up by process %s", "socket", pid)
    log.info(POD, "%s: handed to process %s", "socket", 7)
    assert len(caplog.messages) == 2 * LINES + 1
    caplog.clear()
    assert log.deadline() == clock.now + WINDOW_SECONDS
    clock.now += WINDOW_SECONDS
    log.tell()
    assert caplog.messages == [
        "socket: handed to process 1207 (one of 1,203 more such lines within 60 s)",
        "socket: given up by process 1207 (one of 1,203 more such lines within 60 s)",
    ]
    assert log.deadline() is None


def test_refusals_keep_their_level_and_come_out_at_the_end(
    log: ClientLog, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(LINES + 2):
        log.warning(POD, "refused: %s", f"queue {number}")
    log.close()
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert caplog.messages[-1].endswith("(one of 2 more such lines within 60 s)")
    assert len(caplog.messages) == LINES + 1


def test_a_defect_brings_its_traceback(log: ClientLog, caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        log.error(ALICE, "cannot serve process %s", 7, defect=True)
    log.error(ALICE, "cannot accept a connection: %s", "EMFILE")
    first, second = caplog.records
    assert first.exc_info
    assert first.exc_info[0] is ZeroDivisionError
    assert not second.exc_info
