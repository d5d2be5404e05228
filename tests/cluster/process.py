"""One long-running program of a cluster: started in a namespace, logged to a file, ended by pid.

Made by `control_plane`, `simulated` and `nodes`.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.kernel.lab import Host

STOP_SECONDS = 20.0
TAIL_LINES = 30


class Process:
    """`argv` in the host's network namespace, from `start` to `stop`; may be started again.

    Both outputs are appended to `log`. The program dies with the process that started it, so a
    killed test run leaves nothing that works on.
    """

    def __init__(
        self,
        host: Host,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.host, self.argv, self.log = host, tuple(argv), log
        self._env = dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """As the log calls it."""
        return self.log.stem

    @property
    def pid(self) -> int | None:
        """The program's own; None while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Returns at once; whether it works is the caller's to find out."""
        assert self.pid is None, f"{self.name} runs already"
        into = ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={self.host.path}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
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
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.stop(signal.SIGKILL)

    def freeze(self, frozen: bool) -> None:
        """Stops it in its tracks, or lets it go on: connections stay open and nobody answers."""
        pid = self.pid
        assert pid is not None, f"{self.name} does not run"
        os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def tail(self) -> str:
        """The end of the log, with its name: for the message of a failure."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        state = "runs" if self.pid else "has ended"
        return "\n".join([f"{self.log} ({state}):", *text.splitlines()[-TAIL_LINES:]])
