"""The page /metrics of the operator: gathers what is known at the moment of a scrape.

Made by `process`. It asks nobody but this process.
"""

import contextlib
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Protocol

from xdpredirect import __version__
from xdpredirect.cluster.requests import RequestCount
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.metrics import CATALOGUE, Standing, samples
from xdpredirect.controller.view import FleetView, view
from xdpredirect.controller.writes import Writes
from xdpredirect.metrics.exposition import CONTENT_TYPE, expose
from xdpredirect.metrics.process import process_samples
from xdpredirect.metrics.server import Answer

PATIENCE_SECONDS = 3.0
"""For so long the loop may be writing; the answer is then the one before."""


class Loop(Protocol):
    """What of `loop.Loop` is told."""

    passes: int
    writes: Writes

    @property
    def missed(self) -> int: ...  # noqa: D102 - loop.Loop says what it is


class Source(Protocol):
    """What of `process.Leader` is needed. `loop` is None while this process does not lead."""

    @property
    def loop(self) -> Loop | None: ...  # noqa: D102

    def leads(self) -> bool:
        """Whether this process acts."""
        ...

    def heard(self) -> Mapping[str, float]:
        """The last sign of life, in monotonic seconds, by thread or watch."""
        ...

    def ask(self, question: Callable[[Fleet], None]) -> None:
        """Let the thread that owns the fleet call this."""
        ...


class Exporter:
    """`requests` are the counts of all clients of the API server."""

    def __init__(self, source: Source, requests: Sequence[RequestCount]) -> None:
        self._source, self._requests = source, requests
        self._seen: FleetView | None = None

    def page(self) -> Answer:
        """200 and all metrics."""
        told = expose(CATALOGUE, chain(samples(self._standing()), process_samples()))
        return Answer(200, told, CONTENT_TYPE)

    def _standing(self) -> Standing:
        source, now = self._source, time.monotonic()
        loop, codes = source.loop, [count.codes() for count in self._requests]
        return Standing(
            version=__version__,
            leader=source.leads(),
            passes=loop.passes if loop else 0,
            missed=loop.missed if loop else 0,
            writes=loop.writes if loop else Writes(),
            requests={code: sum(one.get(code, 0) for one in codes) for code in set(chain(*codes))},
            silences={name: max(now - at, 0.0) for name, at in source.heard().items()},
            # Half a fleet would look like a fleet of which frames vanish.
            fleet=self._fleet() if loop and loop.passes else None,
        )

    def _fleet(self) -> FleetView | None:
        answers: queue.SimpleQueue[FleetView] = queue.SimpleQueue()
        self._source.ask(lambda fleet: answers.put(view(fleet)))
        with contextlib.suppress(queue.Empty):
            self._seen = answers.get(timeout=PATIENCE_SECONDS)
        return self._seen
