"""The agent, that dies by SIGKILL just before a change of a file that a test names.

Run as a script by test_failures_agent_killed.py: `mortal.py WISH agent --node ...`. The file WISH
holds the name of an audit event of Python and the end of a path; while it is missing, this is just
the agent.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from xdpredirect.cli.main import main

CHANGES = {"open": 0, "os.rename": 1, "os.remove": 0}
"""Which argument of the event is the path that changes."""


def die_before(wish: str) -> None:
    """Look out for what WISH says, for ever."""

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event not in CHANGES or not isinstance(given[CHANGES[event]], (str, os.PathLike)):
            return
        path = os.fspath(given[CHANGES[event]])
        reads = event == "open" and not given[2] & (os.O_WRONLY | os.O_RDWR)
        if reads or not os.access(wish, os.R_OK):
            return
        kind, _, end = Path(wish).read_text().partition(" ")
        if kind == event and path.endswith(end):
            Path(wish).unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    die_before(sys.argv.pop(1))
    main()
