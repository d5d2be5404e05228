"""What a command works with: settings given before it, the machine, the clock.

Made by `cli.main` and handed to commands as click's `obj`; tests hand in fakes.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from xdpredirect.agent.report import Report
from xdpredirect.agent.store import Document
from xdpredirect.settings import Settings


class Outcome(Protocol):
    """What one pass did. Actions print as one sentence each."""

    @property
    def report(self) -> Report: ...  # noqa: D102 - agent.report says what it is

    @property
    def actions(self) -> Sequence[object]: ...  # noqa: D102

    @property
    def failures(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def documents(self) -> tuple[Document, ...]: ...  # noqa: D102


class Machine(Protocol):
    """The agent's core, as the commands call it."""

    def converge(self, settings: Settings, *, dry_run: bool = False) -> Outcome:
        """Make the kernel as the objects want it, or say what would be done."""
        ...

    def observe_report(self, settings: Settings) -> Report:
        """What is there now; changes nothing."""
        ...

    def run_agent(self, settings: Settings) -> int:
        """Keep everything converged until SIGTERM; returns the exit code."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """`given` holds the options before the command, by field of Settings. `sleep` takes seconds;
    `monotonic` returns them."""

    machine: Callable[[], Machine]
    given: dict[str, str] = field(default_factory=dict)
    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def timestamp(self) -> str:
        """Now, as it stands in conditions and status.json."""
        return self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def this_machine() -> Machine:
    """The real one; imported late, because --help needs nothing of it."""
    from xdpredirect.agent import loop  # noqa: PLC0415

    return loop
