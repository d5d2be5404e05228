"""List and watch: what the API server holds of one kind, told to a sink for as long as it runs.

Called by the agent's cluster mode and by the operator. Whatever breaks (a refused connection, 410,
429, 5xx, an ERROR event, silence, an outdated token), the next list says what really is there, so
an object that was deleted meanwhile is found missing.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from xdpredirect.cluster.api import Api, Query, name_of
from xdpredirect.cluster.backoff import Backoff
from xdpredirect.cluster.resource import Document
from xdpredirect.cluster.transport import Stream, from_status
from xdpredirect.errors import ApiError

_BUFFERED_SECONDS = 0.005
"""An event that takes no longer was there already."""
log = logging.getLogger("xdpredirect.cluster")


class Sink(Protocol):
    """Told by the reflector's thread, one call at a time. Names are unique within a query."""

    def replaced(self, items: Sequence[Document]) -> None:
        """Everything there is; what is not among it is gone."""
        ...

    def changed(self, item: Document) -> None:
        """An object is new or another one."""
        ...

    def deleted(self, name: str) -> None:
        """An object is gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Times in seconds. The server ends a watch after `watch_seconds` and up to a quarter more;
    it sends a bookmark each minute, so a silence of `silence_seconds` is a dead connection. A
    watch that ended in order goes on where it was, and is listed anew every `relist_after`th time.
    After an event that had to be waited for, `rest_seconds` go by before the next one is read: what
    has come until then is read at once, which takes half of what waking up for each takes. Trouble
    is over once a watch has gone well for `calm_seconds`, or ended in order.
    """

    watch_seconds: int = 240
    silence_seconds: float = 90.0
    relist_after: int = 6
    rest_seconds: float = 0.0
    first_backoff: float = 0.5
    longest_backoff: float = 30.0
    calm_seconds: float = 2.0
    chance: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic


class Reflector(threading.Thread):
    """A daemon thread that follows `query`. `heard` is the monotonic time of the last sign of life
    of the server; `synced` is set once the sink knows everything, and stays set."""

    def __init__(self, api: Api, query: Query, sink: Sink, pace: Pace | None = None) -> None:
        super().__init__(name=f"reflector-{query.resource.plural}", daemon=True)
        self._api, self._query, self._sink = api, query, sink
        self._pace = pace or Pace()
        self._backoff = Backoff(
            chance=self._pace.chance,
            first=self._pace.first_backoff,
            longest=self._pace.longest_backoff,
        )
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._told: tuple[int, str] | None = None
        self.heard = self._pace.monotonic()
        self.synced = threading.Event()

    def run(self) -> None:
        """List, watch, and start again after whatever happened, until `stop`."""
        while not self._stopped.is_set():
            try:
                self._follow()
            except ApiError as error:
                self._wait(error)
            except Exception:
                # A defect in a sink: without the thread nobody would learn of anything any more.
                log.exception("%s: cannot take what was sent", self.name)
                self._wait(ApiError(0, "Defect", "see above"))

    def stop(self) -> None:
        """End soon; join the thread to wait for it."""
        self._stopped.set()
        with self._lock:
            if self._stream is not None:
                self._stream.shutdown()

    def _follow(self) -> None:
        """One list and the watches that go on from it. Raises ApiError, or returns to list anew."""
        listing = self._api.list_all(self._query)
        self._alive()
        self._sink.replaced(listing.items)
        self.synced.set()
        version = listing.resource_version
        for _ in range(self._pace.relist_after):
            version = self._watch(version)
            if self._stopped.is_set():
                return

    def _watch(self, version: str) -> str:
        """One watch until the server ends it. Returns the version to go on from."""
        silent = True
        stream = self._api.watch(
            self._query,
            version,
            seconds=int(self._pace.watch_seconds * (1 + self._pace.chance() / 4)),
            read_seconds=self._pace.silence_seconds,
        )
        try:
            with self._lock:
                self._stream = stream
            if self._stopped.is_set():
                return version
            opened = asked = self._pace.monotonic()
            for event in stream:
                silent = False
                waited = self._pace.monotonic() - asked > _BUFFERED_SECONDS
                version = self._event(event) or version
                self._alive()
                self._calm(opened)
                if waited:
                    self._stopped.wait(self._pace.rest_seconds)
                asked = self._pace.monotonic()
        finally:
            with self._lock:
                self._stream = None
            stream.close()
        if silent and not self._stopped.is_set():
            # Nothing at all, not even a bookmark: a proxy that ends every answer looks like this.
            raise ApiError(0, "Unreachable", "the watch ended before it said anything")
        self._backoff.reset()
        return version

    def _event(self, event: Document) -> str:
        """Hand one event on; its resourceVersion. Raises ApiError for an ERROR event."""
        kind = event.get("type")
        item = cast(Document, event.get("object") or {})
        if kind == "ERROR":
            raise from_status(item)
        if kind in ("ADDED", "MODIFIED"):
            self._sink.changed(self._query.kept(item))
        elif kind == "DELETED":
            self._sink.deleted(name_of(item))
        elif kind != "BOOKMARK":
            raise ApiError(0, "BadAnswer", f"unknown watch event {kind!r}")
        metadata = cast(Document, item.get("metadata") or {})
        return str(metadata.get("resourceVersion") or "")

    def _alive(self) -> None:
        self.heard = self._pace.monotonic()

    def _calm(self, opened: float) -> None:
        """Something arrived through a watch. A server that ends each of them after its first event
        is still in trouble."""
        if self._pace.monotonic() - opened >= self._pace.calm_seconds:
            self._backoff.reset()
        if self._told is not None:
            log.info("%s: the API server answers again", self.name)
            self._told = None

    def _wait(self, error: ApiError) -> None:
        if self._stopped.is_set():
            return
        # Once per kind of trouble, not once per attempt; an outdated version is nothing to tell.
        kind = (error.status, error.reason)
        if kind != self._told and error.status != 410:
            log.warning("%s: %s; trying again", self.name, error)
            self._told = kind
        self._stopped.wait(self._backoff.next(error.retry_after))
