"""Holds the lease: one thread that takes it, renews it, and says when it is lost.

Made by `process`. Losing it ends the process: what it knows is then older than what the next
leader does.
"""

import logging
import math
import threading
import time
from typing import Protocol

from xdpredirect.cluster.resource import Document, Resource
from xdpredirect.controller.lease import GIVE_UP, RENEW, RETRY, Move, Seen, decide, look, wanted
from xdpredirect.errors import ApiError

log = logging.getLogger("xdpredirect.controller")


class Leases(Protocol):
    """What of `cluster.api.Api` is needed."""

    def get(self, resource: Resource, name: str) -> Document | None:
        """The lease, or None."""
        ...

    def create(self, resource: Resource, document: Document) -> Document:
        """A new one."""
        ...

    def replace(self, resource: Resource, document: Document) -> Document:
        """The lease, unless somebody was faster."""
        ...


class Election(threading.Thread):
    """A daemon thread. `won` is set when this process leads, `lost` when it did and does not any
    more. `resource` is the kind Lease in its namespace. `memory` is a text that the lease keeps for
    the next leader: who wins finds there what the one before has left."""

    def __init__(self, api: Leases, resource: Resource, name: str, identity: str) -> None:
        super().__init__(name="election", daemon=True)
        self._api, self._resource, self._name = api, resource, name
        self._identity = identity
        self._seen: Seen | None = None
        self._renewed = -math.inf
        self._stopped = threading.Event()
        self.won, self.lost = threading.Event(), threading.Event()
        self.memory = ""
        self.alive_at = time.monotonic()

    def leads(self) -> bool:
        """Whether nobody else can have begun to act. By the clock, at the moment of asking: also
        when the thread hangs that should renew the lease."""
        recent = time.monotonic() - self._renewed < GIVE_UP
        return self.won.is_set() and not self.lost.is_set() and recent

    @property
    def term(self) -> int:
        """Counts leaders from 1, as long as nobody deletes the lease."""
        return self._seen.transitions + 1 if self._seen is not None else 1

    def run(self) -> None:
        """Look again and again, until `stop` or until the lease is lost."""
        while not self._stopped.is_set() and not self.lost.is_set():
            self.alive_at = time.monotonic()
            pause = RETRY
            try:
                self._step()
                pause = RENEW if self.won.is_set() else RETRY
            except ApiError as error:
                log.warning("lease %s: %s", self._name, error)
                # As the server asked, but a holder has no more time than that.
                pause = max(RETRY, min(error.retry_after, GIVE_UP))
            if self.won.is_set() and not self.leads():
                log.error("lease %s is lost; another operator acts from now on", self._name)
                self.lost.set()
            self._stopped.wait(pause)

    def stop(self) -> None:
        """Give the lease back, so that the next leader need not wait for it to run out."""
        self._stopped.set()
        self.join()
        if not self.won.is_set() or self.lost.is_set():
            return
        self.lost.set()
        try:
            given = wanted(self._name, "", self._seen, time.time(), self.memory)
            self._api.replace(self._resource, given)
            log.info("lease %s is given back", self._name)
        except ApiError as error:
            log.warning("lease %s cannot be given back: %s", self._name, error)

    def _step(self) -> None:
        began = time.monotonic()
        self._seen = look(self._api.get(self._resource, self._name), self._seen, began)
        move = decide(self._seen, self._identity, began)
        if move is Move.WAIT:
            if self.won.is_set():
                self._renewed = -math.inf
            return
        if not self.won.is_set() and self._seen is not None:
            self.memory = self._seen.memory
        document = wanted(self._name, self._identity, self._seen, time.time(), self.memory)
        write = self._api.create if move is Move.CREATE else self._api.replace
        self._seen = look(write(self._resource, document), None, began)
        # Counted from before the request: the server may have taken it at any moment since.
        self._renewed = began
        if not self.won.is_set():
            log.info("lease %s: %s leads", self._name, self._identity)
            self.won.set()
