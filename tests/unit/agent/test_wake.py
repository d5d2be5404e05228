"""The descriptor that wakes the agent's loop."""

import os
import select
from pathlib import Path

from xdpredirect.agent.wake import Wake


def test_it_is_readable_once_there_is_news() -> None:
    with Wake() as wake:
        assert not select.select([wake.fileno()], [], [], 0)[0]
        assert not wake.drain()
        wake.set()
        wake.set()
        assert select.select([wake.fileno()], [], [], 0)[0]
        assert wake.drain()
        assert not wake.drain()


def test_a_thread_that_is_late_writes_into_nobody_elses_file(tmp_path: Path) -> None:
    with Wake() as wake:
        number = wake.fileno()
    other = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
    try:
        if other != number:
            os.dup2(other, number)
        wake.set()
    finally:
        os.close(number)
        if other != number:
            os.close(other)
    assert (tmp_path / "other").read_bytes() == b""
