"""What the cluster says, on its way to the caches: watchers of several threads put it into one
inbox, the loop's thread takes it out.

Made by `process`. Nothing here decides anything.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from xdpredirect.cluster.api import Listing
from xdpredirect.cluster.resource import NODE_OBJECTS, REDIRECTS, Document, Resource
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.plain import child, text
from xdpredirect.errors import ApiError

log = logging.getLogger("xdpredirect.controller")

ASK_AGAIN = 1.0
"""Seconds until the API server is asked again what it could not say."""
Change = Callable[[Fleet], None]


class Reads(Protocol):
    """What of `cluster.api.Api` is needed to look again."""

    def get(self, resource: Resource, name: str) -> Document | None:
        """The object, or None."""
        ...

    def list(self, resource: Resource) -> Listing:
        """Everything of a kind."""
        ...


class Inbox:
    """Changes in the order in which they were heard of; any thread puts, the loop takes."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Change] = queue.SimpleQueue()
        self._later: list[tuple[float, Change]] = []
        self._hurry = threading.Event()

    def put(self, change: Change, *, hurry: bool = False) -> None:
        """Hand a change to the loop; `hurry`: nothing is to settle before it is looked at."""
        self._queue.put(change)
        if hurry:
            self._hurry.set()

    def later(self, change: Change, seconds: float) -> None:
        """Take this change after `seconds`, if `take` is called then. Only for changes to call."""
        self._later.append((time.monotonic() + seconds, change))

    def take(self, fleet: Fleet, seconds: float, settle: float) -> bool:
        """Apply what comes within `seconds`, and what follows it within `settle` of the first one:
        changes come in bursts, and waking up for each of them costs more than they do. Whether
        there was anything. Raises what a change raises."""
        now, waiting = time.monotonic(), self._later
        self._later = [(at, change) for at, change in waiting if at > now]
        for at, change in waiting:
            if at <= now:
                self._queue.put(change)
        seconds = min([seconds, *(at - now for at, _ in self._later)])
        try:
            self._queue.get(timeout=max(seconds, 0.0))(fleet)
        except queue.Empty:
            return False
        self._hurry.wait(settle)
        self._hurry.clear()
        # No more than there are now: changes that come faster must not put planning off for ever.
        for _ in range(self._queue.qsize()):
            self._queue.get()(fleet)
        return True


class NodeSink:
    """Nodes, told by their reflector."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def replaced(self, items: Sequence[Document]) -> None:
        """Everything there is."""

        def change(fleet: Fleet) -> None:
            for item in items:
                fleet.put_node(item)
            for name in vanished(fleet.nodes, _names(items)):
                fleet.drop_node(name)

        self._inbox.put(change)

    def changed(self, item: Document) -> None:
        """A Node is new or another one."""
        self._inbox.put(lambda fleet: fleet.put_node(item))

    def deleted(self, name: str) -> None:
        """A Node is gone."""
        self._inbox.put(lambda fleet: fleet.drop_node(name))


class NodeObjectSink:
    """Node objects, told by their reflector.

    A list may be older than an object that the operator has made meanwhile: what it lacks is asked
    for by name before it counts as gone.
    """

    def __init__(self, inbox: Inbox, api: Reads) -> None:
        self._inbox, self._api = inbox, api

    def replaced(self, items: Sequence[Document]) -> None:
        """Everything there is."""

        def change(fleet: Fleet) -> None:
            for item in items:
                fleet.put_object(item)
            self._ask(fleet, sorted(vanished(fleet.objects, _names(items))))

        self._inbox.put(change)

    def changed(self, item: Document) -> None:
        """A node object is new or another one."""
        self._inbox.put(lambda fleet: fleet.put_object(item))

    def deleted(self, name: str) -> None:
        """A node object is gone."""
        self._inbox.put(lambda fleet: fleet.drop_object(name))

    def _ask(self, fleet: Fleet, names: Sequence[str]) -> None:
        """Bring these to what the API server says now; what it does not say is asked again, the
        one that it refused last."""
        for done, name in enumerate(names):
            try:
                found = self._api.get(NODE_OBJECTS, name)
            except ApiError as error:
                log.warning("cannot look whether node object %s is gone: %s", name, error)
                again = partial(self._ask, names=[*names[done + 1 :], name])
                self._inbox.later(again, max(ASK_AGAIN, error.retry_after))
                return
            if found is None:
                fleet.drop_object(name)
            else:
                fleet.put_object(found)


class DaemonSetSink:
    """The agents' DaemonSet, told by its reflector."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def replaced(self, items: Sequence[Document]) -> None:
        """It, or nothing."""
        if items:
            self.changed(items[0])
        else:
            self._inbox.put(lambda fleet: fleet.agents.drop())

    def changed(self, item: Document) -> None:
        """It is new or another one."""
        self._inbox.put(lambda fleet: fleet.agents.put(item))

    def deleted(self, name: str) -> None:  # noqa: ARG002 - there is only one
        """It is gone."""
        self._inbox.put(lambda fleet: fleet.agents.drop())


class RedirectFeed:
    """XdpRedirects, told by kopf's handler, and listed now and then: kopf does not notice what was
    deleted while its watch was down. Raises ApiError."""

    def __init__(self, inbox: Inbox, api: Reads) -> None:
        self._inbox, self._api = inbox, api
        self.list_now = True

    def again(self) -> None:
        """The watch was down: list soon."""
        self.list_now = True
        self._inbox.put(lambda _: None)

    def heard(self, kind: str | None, document: Document) -> None:
        """One event of a watch; `kind` is DELETED, or anything else for an object that is there."""
        if kind != "DELETED":
            self._inbox.put(lambda fleet: fleet.put_redirect(document), hurry=True)
            return
        metadata = child(document, "metadata")
        name, uid = text(metadata, "name"), text(metadata, "uid")

        def gone(fleet: Fleet) -> None:
            known = fleet.redirects.get(name)
            if known is not None and known.uid == uid:
                fleet.drop_redirect(name)

        self._inbox.put(gone, hurry=True)

    def list(self, fleet: Fleet) -> int:
        """Bring the caches to a fresh list, in the loop's own thread. Returns how many objects the
        watch had not told of, or told of otherwise."""
        known = {name: item.resource_version for name, item in fleet.redirects.items()}
        items = self._api.list(REDIRECTS).items
        gone = vanished(known, _names(items))
        for item in items:
            fleet.put_redirect(item)
        for name in gone:
            fleet.drop_redirect(name)
        return len(gone) + sum(
            known.get(name) != item.resource_version for name, item in fleet.redirects.items()
        )


def vanished(known: Iterable[str], listed: Iterable[str]) -> frozenset[str]:
    """Names that a complete list no longer has."""
    return frozenset(known) - frozenset(listed)


def _names(items: Iterable[Document]) -> list[str]:
    return [text(child(item, "metadata"), "name") for item in items]
