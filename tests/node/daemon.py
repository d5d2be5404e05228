"""A long-running program of a node, such as its kubelet; made by `machine`.

It runs in all namespaces of the node, as a child of nsenter: a PID namespace is entered by a new
process only. It ends with the node at the latest.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.waiting import until

STOP_SECONDS = 20.0
TAIL_LINES = 30


class Daemon:
    """`argv` from `start` to `stop`; may be started again. Both outputs are appended to `log`."""

    def __init__(self, argv: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        self.argv, self.log = tuple(argv), log
        self._env = dict(env)
        self._nsenter: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """As the log calls it."""
        return self.log.stem

    @property
    def pid(self) -> int | None:
        """The program's own, as this machine counts; None while it does not run."""
        if self._nsenter is None or self._nsenter.poll() is not None:
            return None
        return child_of(self._nsenter.pid)

    @property
    def wrapper(self) -> list[int]:
        """The pid of nsenter, while it runs."""
        return [] if self._nsenter is None or self.ended else [self._nsenter.pid]

    @property
    def ended(self) -> bool:
        """Whether it ran and does no more."""
        return self._nsenter is not None and self._nsenter.poll() is not None

    def start(self, into: Sequence[str]) -> None:
        """`into` are the words before `argv` that enter the node. Returns at once."""
        assert self.pid is None, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._nsenter = subprocess.Popen(
                [*into, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._env},
                # Ctrl-C is for the test run, which then ends this in order.
                start_new_session=True,
            )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Sends the signal and waits for the end, at last with SIGKILL; returns the exit code."""
        if self._nsenter is None:
            return None
        for each in (number, signal.SIGKILL):
            pid = self.pid
            if pid is not None:
                os.kill(pid, each)
            try:
                return self._nsenter.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"{self.name} does not end\n{self.tail()}")

    def tail(self) -> str:
        """The end of the log, with its name: for the message of a failure."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        state = "runs" if self.pid else "has ended"
        return "\n".join([f"{self.log} ({state}):", *text.splitlines()[-TAIL_LINES:]])


def child_of(pid: int) -> int | None:
    """The one child of a process that has at most one; None before it has any and when it ended."""
    try:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    return int(words[0]) if words else None


def await_child(process: subprocess.Popen[str]) -> int:
    """The pid of the child that a wrapper such as unshare or nsenter makes."""
    until(lambda: child_of(process.pid) or process.poll() is not None, "a wrapper has its child")
    found = child_of(process.pid)
    assert found is not None, f"{process.args!r} has ended: {process.returncode}"
    return found
