"""What the API server said last, between the reflectors' threads and the agent's loop.

Made by `agent.node_source`: one sink for the node object, one for the address sets.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from xdpredirect.cluster.resource import Document


class NodeInbox:
    """The node object. `news` is called after a new spec came, or when it was first said that there
    is none, `seen` for everything that comes, with None when the object is gone. `heard` says that
    the API server has told which spec there is, or that there is none."""

    def __init__(self, news: Callable[[], None], seen: Callable[[Document | None], None]) -> None:
        self._news, self._seen = news, seen
        self._lock = threading.Lock()
        self._waiting: Document | None = None
        self._known: tuple[object, object] = ("", 0)
        self.heard = False

    def replaced(self, items: Sequence[Document]) -> None:
        """As `cluster.reflector.Sink`."""
        if not items:
            self._seen(None)
            first, self.heard = not self.heard, True
            if first:
                self._news()
        for item in items:
            self.changed(item)

    def changed(self, item: Document) -> None:
        """As `cluster.reflector.Sink`; a status that changed is no news for the loop."""
        self._seen(item)
        metadata = _metadata(item)
        known = (metadata.get("uid"), metadata.get("generation"))
        with self._lock:
            self.heard = True
            if known == self._known:
                return
            self._known = known
            self._waiting = item
        self._news()

    def deleted(self, name: str) -> None:  # noqa: ARG002 - there is one
        """As `cluster.reflector.Sink`. A node object that is gone detaches nothing."""
        self._seen(None)

    def take(self) -> Document | None:
        """The newest spec since the last call."""
        with self._lock:
            item, self._waiting = self._waiting, None
        return item


class SetInbox:
    """Address sets of the names in `wanted`; all others are forgotten at once, however large.
    `news` is called once everything was heard of, and for every change after that."""

    def __init__(self, wanted: frozenset[str], news: Callable[[], None]) -> None:
        self._wanted, self._news = wanted, news
        self._lock = threading.Lock()
        self._waiting: dict[str, Document | None] = {}
        self._complete = False

    def replaced(self, items: Sequence[Document]) -> None:
        """As `cluster.reflector.Sink`."""
        found = {str(_metadata(item)["name"]): item for item in items}
        self._put({name: found.get(name) for name in self._wanted}, complete=True)

    def changed(self, item: Document) -> None:
        """As `cluster.reflector.Sink`."""
        self._put({str(_metadata(item)["name"]): item})

    def deleted(self, name: str) -> None:
        """As `cluster.reflector.Sink`."""
        self._put({name: None})

    def told_all(self) -> None:
        """Everything has been heard of once, through `changed` and `deleted`."""
        self._put({}, complete=True)

    def take(self) -> tuple[dict[str, Document | None], bool]:
        """Sets that changed since the last call, None for those that are not there; and whether
        everything was heard of at least once."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            return waiting, self._complete

    def _put(self, items: Mapping[str, Document | None], complete: bool = False) -> None:
        kept = {name: item for name, item in items.items() if name in self._wanted}
        with self._lock:
            self._waiting.update(kept)
            self._complete |= complete
            news = complete or (bool(kept) and self._complete)
        if news:
            self._news()


def _metadata(item: Document) -> Mapping[str, object]:
    return cast(Mapping[str, object], item["metadata"])
