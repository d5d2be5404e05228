"""Every state that an XdpRedirect went through, with the time at which a watch told of it.

Called by `fleet`: what the operator says is measured where a user would see it.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from tests.cluster.cluster import Cluster
from xdpredirect.cluster.api import Api, Query
from xdpredirect.cluster.reflector import Reflector
from xdpredirect.cluster.resource import REDIRECTS, Document

State = Mapping[str, Any]
PATIENCE_SECONDS = 300.0


class Trace:
    """Use it in a `with` statement. `seen` are (monotonic seconds, object); an object that is gone
    is empty."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self.seen: list[tuple[float, State]] = []
        self._changed = threading.Condition()
        query = Query(resource=REDIRECTS, field_selector=f"metadata.name={name}")
        self._reflector = Reflector(Api.connect(cluster.kubeconfig, "bench"), query, self)

    def __enter__(self) -> "Trace":
        self._reflector.start()
        self._reflector.synced.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._reflector.stop()
        self._reflector.join(5)

    def replaced(self, items: Sequence[Document]) -> None:
        """As `cluster.reflector.Sink`."""
        for item in items or ({},):
            self.changed(item)

    def changed(self, item: Document) -> None:
        """As `cluster.reflector.Sink`."""
        with self._changed:
            self.seen.append((time.monotonic(), cast(State, item)))
            self._changed.notify_all()

    def deleted(self, name: str) -> None:  # noqa: ARG002 - there is one
        """As `cluster.reflector.Sink`."""
        self.changed({})

    def until(self, holds: Callable[[State], bool], since: float, what: str) -> float:
        """When the object first was so after `since`; RuntimeError when it does not become so."""
        deadline, position = time.monotonic() + PATIENCE_SECONDS, 0
        with self._changed:
            while True:
                for at, state in self.seen[position:]:
                    if at >= since and holds(state):
                        return at
                position = len(self.seen)
                if not self._changed.wait(deadline - time.monotonic()):
                    last = self.seen[-1][1].get("status") if self.seen else None
                    raise RuntimeError(f"{self.name}: {what}: not so; its status is {last}")

    def sums(self) -> list[tuple[float, int]]:
        """Times and redirected packets of each status."""
        return [
            (at, state["status"].get("traffic", {}).get("redirectedPackets", 0))
            for at, state in self.seen
            if "status" in state
        ]


def effective(generation: int, nodes: int) -> Callable[[State], bool]:
    """Whether all of `nodes` run that generation, and the object says so."""

    def holds(state: State) -> bool:
        status = state.get("status", {})
        counts = status.get("nodes", {})
        ready = [c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"]
        numbers = {counts.get(name) for name in ("selected", "updated", "ready")}
        return (
            status.get("observedGeneration") == generation
            and ready == ["True"]
            and numbers == {nodes}
        )

    return holds
