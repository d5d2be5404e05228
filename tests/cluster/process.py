"""One long-running program of a cluster: started in a namespace, logged to a file, ended by pid.

Made by `control_plane`, `kwok`, `operator_process`, `nodes` and tests/gitops.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.program import Program
from tests.kernel.lab import Host


class Process(Program):
    """`argv` in the host's network namespace.

    The program dies with the process that started it, so a killed test run leaves nothing that
    works on.
    """

    def __init__(
        self,
        host: Host,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(argv, log, env or {})
        self.host = host

    @property
    def pid(self) -> int | None:
        """The program's own: nsenter and setpriv become it."""
        return None if self._child is None or self.ended else self._child.pid

    def start(self) -> None:
        """Returns at once; whether it works is the caller's to find out."""
        self._launch(["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={self.host.path}"])

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.stop(signal.SIGKILL)

    def freeze(self, frozen: bool) -> None:
        """Stops it in its tracks, or lets it go on: connections stay open and nobody answers."""
        pid = self.pid
        assert pid is not None, f"{self.name} does not run"
        os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)
