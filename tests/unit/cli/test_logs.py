"""The agent's log: one record a line for programs, readable for people."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from xdpredirect.cli.logs import JsonFormatter, TextFormatter, log_to_stderr


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    logger = logging.getLogger("xdpredirect")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def record(message: str, *args: object) -> logging.LogRecord:
    made = logging.LogRecord("xdpredirect.agent", logging.ERROR, "", 0, message, args, None)
    made.created, made.msecs = 1767323045.25, 250.0
    return made


def test_text_keeps_a_verifier_log_together() -> None:
    assert TextFormatter().format(record("load %s:\nR1 invalid", "x")) == (
        "error: load x:\n    R1 invalid"
    )


def test_json_is_one_line() -> None:
    line = JsonFormatter().format(record("load %s:\nR1 invalid", "x"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-01-02T03:04:05.250Z",
        "level": "error",
        "logger": "xdpredirect.agent",
        "message": "load x:\nR1 invalid",
    }


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_an_exception_is_not_lost(formatter: logging.Formatter) -> None:
    made = record("failed")
    try:
        raise OSError(28, "No space left on device")
    except OSError:
        made.exc_info = sys.exc_info()
    assert "No space left on device" in formatter.format(made)


def test_information_is_logged_and_details_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("text")
    logging.getLogger("xdpredirect.agent").info("following /etc/xdp")
    logging.getLogger("xdpredirect.agent").debug("noise")
    assert capsys.readouterr().err == "info: following /etc/xdp\n"


def test_json_says_what_a_record_is_about() -> None:
    about = record("told")
    vars(about).update(node="worker-1", revision=3)
    line = json.loads(JsonFormatter().format(about))
    assert (line["node"], line["revision"]) == ("worker-1", 3)
    assert "object" not in line


def test_libraries_speak_in_the_same_format_and_only_when_it_matters() -> None:
    log_to_stderr("json", "library")
    library, ours = logging.getLogger("library"), logging.getLogger("xdpredirect")
    assert library.handlers == ours.handlers
    assert library.isEnabledFor(logging.WARNING)
    assert not library.isEnabledFor(logging.INFO)
