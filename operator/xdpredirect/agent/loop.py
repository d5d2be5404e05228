"""The agent's life: one pass now, one after every change, one now and then.

Called by the commands. `run_agent` follows a directory of objects, or the cluster's object of this
node, and the kernel's own events until SIGTERM, which leaves the datapath as it is.
"""

import logging
import selectors
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Protocol

from xdpredirect.agent.broker import Broker
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.agent.outcome import Outcome
from xdpredirect.agent.passes import Passes
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


class Source(Protocol):
    """Where it is written what is wanted, and who wants to know what came of it."""

    def fileno(self) -> int:
        """Readable when there is news."""
        ...

    def drain(self) -> bool:
        """Take the news; whether there was any."""
        ...

    def take(self) -> bool:
        """Make the agent's files say what is wanted; False when no pass may be made yet."""
        ...

    def report(self, outcome: Outcome) -> None:
        """What a pass did."""
        ...

    def failed(self, words: str) -> None:
        """Why a pass could not be made."""
        ...

    def ended(self) -> str:
        """Which of its threads have ended, by name; empty while all are at work."""
        ...


class _News(Protocol):
    """Somebody who may have some."""

    def drain(self) -> bool:
        """Take it; whether there was any."""
        ...


class _Files(DirectoryWatch):
    """The directory is the source; its status is in status.json, which every source has."""

    def take(self) -> bool:
        return True

    def report(self, outcome: Outcome) -> None:
        pass

    def failed(self, words: str) -> None:
        pass

    def ended(self) -> str:
        return ""


def run_agent(settings: Settings) -> int:
    """Keep the machine converged until SIGTERM or SIGINT. Returns the exit code: 1 when a thread
    that speaks to the cluster has ended."""
    settings.files.mkdir(parents=True, exist_ok=True)
    if not settings.node:
        log.info("following %s", settings.files)
        with _Files(settings.files) as files:
            return _follow(settings, files)
    from xdpredirect.agent.node_source import cluster_source  # noqa: PLC0415 - urllib3 and TLS

    log.info("following XdpRedirectNode %s", settings.node)
    with cluster_source(settings) as node:
        return _follow(settings, node)


def _follow(settings: Settings, source: Source) -> int:
    passes = Passes()
    with (
        Broker(settings) as broker,
        _metrics(settings, agent := MachineAgent(settings, broker), passes),
        LinkWatch() as links,
        _stop_signal() as stop,
        selectors.DefaultSelector() as waiting,
    ):
        for descriptor in (*links.filenos(), source.fileno(), broker.fileno(), stop.fileno()):
            waiting.register(descriptor, selectors.EVENT_READ)
        while True:
            _pass(agent, settings, source, passes)
            if ended := source.ended() or broker.ended():
                # Deaf or mute it would look healthy for ever; who keeps the agent starts it anew.
                log.critical("%s has ended by a defect, see above; so does the agent", ended)
                return 1
            if _wait(waiting, stop, settings.resync_seconds):
                log.info("stopping; the datapath stays")
                return 0
            _settle(waiting, stop, (links, source, broker))


def _wait(waiting: selectors.BaseSelector, stop: socket.socket, seconds: float) -> bool:
    """Wait for a change or the time; True when the agent is asked to stop."""
    return any(key.fileobj == stop.fileno() for key, _ in waiting.select(seconds))


def _settle(waiting: selectors.BaseSelector, stop: socket.socket, news: Sequence[_News]) -> None:
    """Take what has happened until it is quiet, at most a second long."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        changed = [one.drain() for one in news]
        if not any(changed) or _wait(waiting, stop, SETTLE_SECONDS):
            return


def _metrics(
    settings: Settings, agent: MachineAgent, passes: Passes
) -> AbstractContextManager[object]:
    if not settings.metrics:
        return nullcontext()
    from xdpredirect.agent.exporter import serving  # noqa: PLC0415 - costs memory; most need it not

    log.info("metrics on http://%s/metrics", settings.metrics)
    return serving(settings.metrics, passes, agent.compiler.spent)


def _pass(agent: MachineAgent, settings: Settings, source: Source, passes: Passes) -> None:
    """One pass; what fails is logged and tried again at the next change or resync."""
    began = time.monotonic()
    try:
        if not source.take():
            return
        outcome = agent.converge()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        agent.store.record(outcome.report, outcome.documents, now)
    except (XdpRedirectError, OSError) as error:
        words = f"{settings.state_dir}: {error}" if isinstance(error, OSError) else str(error)
        log.error("%s", words)
        passes.broken(time.monotonic() - began)
        source.failed(words)
        return
    passes.done(outcome, time.monotonic() - began, time.time())
    source.report(outcome)
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
