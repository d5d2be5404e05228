"""Who may listen in the directory: one that lives is not put aside, one that is dead is no
obstacle."""

import errno
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from xdpredirect.xsk.listener import listen

SECONDS = 60.0
OTHER = """
import sys, time
from pathlib import Path
from xdpredirect.xsk.listener import listen
made = listen(Path(sys.argv[1]), 8)
print("listening", flush=True)
time.sleep(600)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sockets" / "broker.sock"


@contextmanager
def other(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another agent, as far as this is about it."""
    argv = [sys.executable, "-c", OTHER, str(path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "listening\n"
            yield process
        finally:
            process.kill()


def reaches(path: Path, listener: socket.socket) -> bool:
    """Whether who connects to the path comes out here."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(SECONDS)
        client.connect(str(path))
        # Of the other end the kernel has the connection ready on return.
        accepted, _ = listener.accept()
        accepted.close()
    return True


def test_one_that_lives_is_not_put_aside(path: Path) -> None:
    with closing(listen(path, 8)) as first:
        before = path.stat().st_ino
        with pytest.raises(OSError, match="another agent listens there") as refused:
            listen(path, 8)
        assert refused.value.errno == errno.EADDRINUSE
        assert refused.value.filename == str(path)
        assert path.stat().st_ino == before
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        # The connection of the question comes first, and is over.
        first.accept()[0].close()
        assert reaches(path, first)


def test_one_that_is_too_busy_to_answer_lives_too(path: Path) -> None:
    with closing(listen(path, 0)):
        waiting = []
        try:
            while True:
                client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
                waiting.append(client)
                client.connect(str(path))
        except BlockingIOError:
            with pytest.raises(OSError, match=re.escape(str(path))):
                listen(path, 8)
        finally:
            for client in waiting:
                client.close()


def test_one_that_was_killed_is_no_obstacle(path: Path) -> None:
    with other(path) as process:
        with pytest.raises(OSError, match="another agent listens there"):
            listen(path, 8)
        # One that does nothing any more lives all the same.
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        with pytest.raises(OSError, match="another agent listens there"):
            listen(path, 8)
        process.kill()
        process.wait()
        assert path.is_socket()
        with closing(listen(path, 8)) as successor:
            assert reaches(path, successor)


def test_a_file_that_nobody_listens_at_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("no socket")
    with closing(listen(path, 8)) as made:
        assert reaches(path, made)
