"""The agent's life: one pass now, one after every change, one now and then.

Called by the commands. `run_agent` follows a directory of objects and the kernel's own events
until SIGTERM, which leaves the datapath as it is.
"""

import logging
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from xdpredirect.agent.machine import MachineAgent, Outcome
from xdpredirect.agent.report import Report
from xdpredirect.errors import XdpRedirectError
from xdpredirect.kernel.inotify import DirectoryWatch
from xdpredirect.kernel.watch import LinkWatch
from xdpredirect.settings import Settings

SETTLE_SECONDS = 0.03
"""Changes come in bursts; a pass begins when it has been quiet for so long."""
log = logging.getLogger("xdpredirect.agent")


def converge(settings: Settings, *, dry_run: bool = False) -> Outcome:
    """One pass. Raises KernelError or Locked when not even the observation is possible."""
    return MachineAgent(settings).converge(dry_run)


def observe_report(settings: Settings) -> Report:
    """How things stand; changes nothing."""
    return MachineAgent(settings).observe_report()


def run_agent(settings: Settings) -> int:
    """Keep the machine converged until SIGTERM or SIGINT. Returns the exit code."""
    agent = MachineAgent(settings)
    settings.files.mkdir(parents=True, exist_ok=True)
    with (
        LinkWatch() as links,
        DirectoryWatch(settings.files) as files,
        _stop_signal() as stop,
        selectors.DefaultSelector() as waiting,
    ):
        for source in (*links.filenos(), files.fileno(), stop.fileno()):
            waiting.register(source, selectors.EVENT_READ)
        log.info("following %s", settings.files)
        while True:
            _pass(agent, settings)
            if _wait(waiting, stop, settings.resync_seconds):
                log.info("stopping; the datapath stays")
                return 0
            _settle(waiting, stop, links, files)


def _wait(waiting: selectors.BaseSelector, stop: socket.socket, seconds: float) -> bool:
    """Wait for a change or the time; True when the agent is asked to stop."""
    return any(key.fileobj == stop.fileno() for key, _ in waiting.select(seconds))


def _settle(
    waiting: selectors.BaseSelector, stop: socket.socket, links: LinkWatch, files: DirectoryWatch
) -> None:
    """Take what has happened until it is quiet, at most a second long."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        changed = links.drain() | files.drain()
        if not changed or _wait(waiting, stop, SETTLE_SECONDS):
            return


def _pass(agent: MachineAgent, settings: Settings) -> None:
    """One pass; what fails is logged and tried again at the next change or resync."""
    try:
        outcome = agent.converge()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        agent.store.record(outcome.report, outcome.documents, now)
    except XdpRedirectError as error:
        log.error("%s", error)
        return
    except OSError as error:
        log.error("%s: %s", settings.state_dir, error)
        return
    for action in outcome.actions:
        log.info("%s", action)
    for problem in (*outcome.problems, *outcome.failures):
        log.error("%s", problem)


@contextmanager
def _stop_signal() -> Iterator[socket.socket]:
    """A socket that becomes readable at SIGTERM or SIGINT."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    handlers = {n: signal.signal(n, lambda *_: None) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()
