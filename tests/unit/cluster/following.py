"""A reflector at work against `fake_server`, and a sink that keeps what it was told."""

import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.unit.cluster.fake_server import (
    FakeServer,
    Step,
    serving,
    watch,
)
from xdpredirect.cluster.api import Api, Query
from xdpredirect.cluster.reflector import Pace, Reflector
from xdpredirect.cluster.resource import NODE_OBJECTS, Document

LIMIT = 30


QUERY = Query(resource=NODE_OBJECTS, field_selector="metadata.name=a")


OPEN = watch(end="open")


# Waits are real but short; no test looks at how long anything took.
QUICK = Pace(first_backoff=0.001, longest_backoff=0.01, silence_seconds=20, chance=lambda: 0.0)


class Told:
    """A sink that keeps what it was told."""

    def __init__(self) -> None:
        self.calls: queue.Queue[tuple[str, object]] = queue.Queue()

    def replaced(self, items: Sequence[Document]) -> None:
        self.calls.put(("replaced", tuple(name_of(item) for item in items)))

    def changed(self, item: Document) -> None:
        self.calls.put(("changed", name_of(item)))

    def deleted(self, name: str) -> None:
        self.calls.put(("deleted", name))

    def take(self, number: int) -> list[tuple[str, object]]:
        return [self.calls.get(timeout=LIMIT) for _ in range(number)]


def name_of(item: Document) -> object:
    metadata = item["metadata"]
    assert isinstance(metadata, dict)
    return metadata["name"]


@contextmanager
def following(
    *script: Step, pace: Pace = QUICK, sink: Told | None = None
) -> Iterator[tuple[Told, FakeServer, Reflector]]:
    told = sink or Told()
    with serving(*script) as server:
        reflector = Reflector(Api(server.access, "test"), QUERY, told, pace)
        reflector.start()
        try:
            yield told, server, reflector
        finally:
            reflector.stop()
            server.ended.set()
            reflector.join(LIMIT)
            assert not reflector.is_alive()
