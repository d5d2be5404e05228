"""A long-running program of a test: its outputs in a file, ended by a signal to its own pid.

The base of `process.Process` and of tests/node's `daemon.Daemon`, which differ in where the program
runs and therefore in which pid is its own.
"""

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 60.0
TAIL_LINES = 30


class Program(ABC):
    """`argv` from a `start` to `stop`; may be started again. Both outputs are appended to `log`."""

    def __init__(self, argv: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        self.argv, self.log = tuple(argv), log
        self._env = dict(env)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """As the log calls it."""
        return self.log.stem

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """The program's own, as this machine counts; None while it does not run."""

    @property
    def ended(self) -> bool:
        """Whether it ran and does no more."""
        return self._child is not None and self._child.poll() is not None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Sends the signal and waits for the end, at last with SIGKILL; returns the exit code, None
        where it was never started."""
        if self._child is None:
            return None
        for each in (number, signal.SIGKILL):
            pid = self.pid
            if pid is not None:
                os.kill(pid, each)
            try:
                return self._child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"{self.name} does not end\n{self.tail()}")

    def tail(self) -> str:
        """The end of the log, with its name: for the message of a failure."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        state = "runs" if self.pid else "has ended"
        return "\n".join([f"{self.log} ({state}):", *text.splitlines()[-TAIL_LINES:]])

    def _launch(self, into: Sequence[str]) -> None:
        """`into` are the words before `argv` that enter the place where it runs."""
        assert self.pid is None, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*into, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._env},
                # Ctrl-C is for the test run, which then ends this in order.
                start_new_session=True,
            )
