"""Writes the status of this node's object when `agent.report_policy` says so.

Started by `agent.node_source`. A thread of its own: a write that waits for an API server must not
keep the datapath waiting.
"""

import logging
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from xdpredirect.agent import report_policy as policy
from xdpredirect.agent.report_policy import Ledger, Status
from xdpredirect.cluster.backoff import Backoff
from xdpredirect.cluster.resource import NODE_OBJECTS, Document, Resource
from xdpredirect.errors import ApiError

MANAGER = "xdpredirect-agent"
_LONGEST_SECONDS = 60.0
_CONFLICT = 409
log = logging.getLogger("xdpredirect.agent")


class Writer(Protocol):
    """The one verb that is needed of `cluster.api.Api`."""

    def apply(
        self,
        resource: Resource,
        document: Document,
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> Document:
        """Server-side apply. Raises ApiError."""
        ...


@dataclass(frozen=True, slots=True)
class _Target:
    """The node object as it was seen last; `version` is its resourceVersion."""

    uid: str
    version: str

    @property
    def age(self) -> int:
        """Versions of one object as numbers that count up, which they are since Kubernetes 1.35
        and always were; 0 from a server where they are none."""
        return int(self.version) if self.version.isdecimal() else 0


class Reporter(threading.Thread):
    """`saw` and `offer` come from other threads and return at once. `every` is in seconds, between
    two reports of counters alone."""

    def __init__(
        self,
        writer: Writer,
        node: str,
        backoff: Backoff | None = None,
        every: float = policy.COUNTERS_SECONDS,
    ) -> None:
        super().__init__(name="reporter", daemon=True)
        self._writer, self._node, self._every = writer, node, every
        self._changed = threading.Condition()
        self._backoff = backoff or Backoff(chance=random.random, longest=_LONGEST_SECONDS)
        self._ledger = _fresh(None)
        self._target: _Target | None = None
        self._wanted: Status | None = None
        self._wanted_for = ""
        self._echo: object = None
        self._stopped = False
        self._told: tuple[int, str] | None = None
        self._conflict = self._unanswered = False

    def saw(self, document: Mapping[str, object] | None) -> None:
        """The node object as the server holds it now; None when there is none."""
        with self._changed:
            if document is None:
                self._target = None
                return
            if self._unanswered:
                # Whoever tells us this answers again; a minute more would hold up a deletion.
                self._unanswered = False
                self._backoff.reset()
                again = self._backoff.next()
                self._ledger = policy.failed(self._ledger, time.monotonic(), again)
            metadata = cast(Mapping[str, object], document["metadata"])
            target = _target(metadata)
            before = self._target
            same = before is not None and before.uid == target.uid
            if same and before is not None and target.age < before.age:
                return  # On its way since before our last write.
            if target != before and self._conflict:
                self._ledger = policy.failed(self._ledger, time.monotonic(), 0.0)
                self._conflict = False
            self._target = target
            status = cast("Status | None", document.get("status"))
            if not same:
                self._ledger = _fresh(status)
            elif status != self._echo:
                self._ledger = policy.found(self._ledger, status)
            self._echo = status
            self._changed.notify()

    def held(self) -> Status:
        """The status that the server holds as far as is known: the base of the next one."""
        with self._changed:
            return self._ledger.held or {}

    def offer(self, status: Status, uid: str) -> None:
        """What is true now, about the spec of the node object `uid`."""
        with self._changed:
            self._wanted, self._wanted_for = status, uid
            self._changed.notify()

    def stop(self) -> None:
        """End soon; what is not written yet is written by the next agent."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def run(self) -> None:
        """Write what is due until `stop`."""
        while True:
            with self._changed:
                status = self._next()
                if self._stopped:
                    return
                assert status is not None
                assert self._target is not None
                target = self._target
            self._write(status, target)

    def _next(self) -> Status | None:
        """Wait until a status is due; None when asked to stop. Called with the lock."""
        while not self._stopped:
            timeout = None
            if self._target and self._wanted is not None and self._wanted_for == self._target.uid:
                now = time.monotonic()
                self._ledger = policy.noticed(self._ledger, self._wanted, now)
                at = policy.due(self._ledger, self._wanted, self._every)
                if at is not None and at <= now:
                    return self._wanted
                timeout = None if at is None else at - now
            self._changed.wait(timeout)
        return None

    def _write(self, status: Status, target: _Target) -> None:
        known = {"uid": target.uid, "resourceVersion": target.version}
        try:
            # The version: a status must not land in a successor of the object, nor in a spec that
            # nobody here has seen. The uid alone is not compared on a status.
            answer = self._writer.apply(
                NODE_OBJECTS,
                {
                    "apiVersion": NODE_OBJECTS.api_version,
                    "kind": NODE_OBJECTS.kind,
                    "metadata": {"name": self._node, **known},
                    "status": dict(status),
                },
                manager=MANAGER,
                subresource="status",
            )
            stored = _target(cast(Mapping[str, object], answer["metadata"]))
        except ApiError as error:
            self._failed(error)
            return
        except KeyError as error:
            self._failed(ApiError(0, "BadAnswer", f"an object without {error}"))
            return
        with self._changed:
            self._backoff.reset()
            self._told = None
            if self._target is not None and self._target.uid == stored.uid:
                self._target = stored
                self._echo = answer.get("status")
                now = time.monotonic()
                self._ledger = policy.written(self._ledger, status, now, random.random())

    def _failed(self, error: ApiError) -> None:
        with self._changed:
            self._conflict = error.status == _CONFLICT
            self._unanswered = error.status == 0
            kind = (error.status, error.reason)
            if kind != self._told and not self._conflict:
                log.warning("status of %s: %s; trying again", self._node, error)
                self._told = kind
            delay = self._backoff.next(error.retry_after)
            self._ledger = policy.failed(self._ledger, time.monotonic(), delay)


def _fresh(held: Status | None) -> Ledger:
    """Of an object that nothing was written to yet."""
    return Ledger(held=held, counted_at=time.monotonic(), jitter=random.random())


def _target(metadata: Mapping[str, object]) -> _Target:
    """Raises KeyError when it is no stored object."""
    return _Target(str(metadata["uid"]), str(metadata["resourceVersion"]))
