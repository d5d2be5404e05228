"""A long-running program of a node, such as its kubelet; made by `machine`.

It runs in all namespaces of the node, as a child of nsenter: a PID namespace is entered by a new
process only. It ends with the node at the latest.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.program import Program
from tests.cluster.waiting import until


class Daemon(Program):
    """`argv` from `start` to `stop`."""

    @property
    def pid(self) -> int | None:
        """The program's own, as this machine counts: the child of nsenter."""
        return None if self._child is None or self.ended else child_of(self._child.pid)

    @property
    def wrapper(self) -> list[int]:
        """The pid of nsenter, while it runs."""
        return [] if self._child is None or self.ended else [self._child.pid]

    def start(self, into: Sequence[str]) -> None:
        """`into` are the words before `argv` that enter the node. Returns at once."""
        self._launch(into)


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
