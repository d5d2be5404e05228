"""What the agent's passes did since it started, and what the last one found. Kept by `agent.loop`,
read for metrics by another thread. Pure.
"""

from dataclasses import dataclass

from xdpredirect.agent.actions import Attach, LoadProgram, Swap
from xdpredirect.agent.outcome import Outcome
from xdpredirect.agent.report import Report


@dataclass(slots=True)
class Passes:
    """`seconds` is what all of them took, `last` when the last good one ended, in seconds since
    1970; `failed` could not even look at the machine. `loads` counts programs that were loaded,
    `attaches` those that came onto an interface, `failures` the interfaces where acting failed.
    """

    made: int = 0
    failed: int = 0
    seconds: float = 0.0
    last: float = 0.0
    loads: int = 0
    attaches: int = 0
    failures: int = 0
    report: Report | None = None

    def done(self, outcome: Outcome, seconds: float, now: float) -> None:
        """A pass that came to its end."""
        self.made += 1
        self.seconds += seconds
        self.last = now
        self.loads += sum(isinstance(action, LoadProgram) for action in outcome.actions)
        self.attaches += sum(isinstance(action, Attach | Swap) for action in outcome.actions)
        self.failures += len(outcome.failures)
        self.report = outcome.report

    def broken(self, seconds: float) -> None:
        """A pass that could not be made."""
        self.failed += 1
        self.seconds += seconds
