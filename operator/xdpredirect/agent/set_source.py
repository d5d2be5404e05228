"""The address sets that this node needs, followed for as long as it needs any.

Called by `agent.node_source` from the agent's loop.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import cast

from xdpredirect.agent.inbox import SetInbox
from xdpredirect.agent.set_reader import SetReader
from xdpredirect.agent.store import Document, Key
from xdpredirect.api.decode import decode_address_set
from xdpredirect.cluster.api import Api, Query
from xdpredirect.cluster.reflector import Reflector
from xdpredirect.cluster.resource import ADDRESS_SETS
from xdpredirect.errors import InvalidInput

log = logging.getLogger("xdpredirect.agent")


class SetSource:
    """`reading` is True from the moment sets are needed until the API server has sent them."""

    def __init__(self, api: Api, news: Callable[[], None]) -> None:
        self._api, self._news = api, news
        self._names: frozenset[str] = frozenset()
        self._gone: set[str] = set()
        self._changed: dict[str, Document] = {}
        self._inbox: SetInbox | None = None
        self._reflector: Reflector | None = None
        self.reading = False

    @property
    def threads(self) -> tuple[Reflector, ...]:
        """Those that follow something now."""
        return (self._reflector,) if self._reflector is not None else ()

    def need(self, names: frozenset[str]) -> None:
        """Follow exactly these. A further name needs a new list: sets not needed are not kept."""
        if names == self._names:
            return
        self._names = names
        self._gone, self._changed = set(), {}
        self.stop()
        self.reading = bool(names)
        if not names:
            return
        self._inbox = SetInbox(names, self._news)
        self._reflector = self._follow(names, self._inbox)
        self._reflector.start()

    def take(self) -> bool:
        """Take what was sent; whether there was anything."""
        if self._inbox is None:
            return False
        items, complete = self._inbox.take()
        self.reading = self.reading and not complete
        for name, item in items.items():
            self._changed.pop(name, None)
            if item is None:
                self._gone.add(name)
                continue
            self._gone.discard(name)
            document = _checked(item)
            if document is not None:
                self._changed[name] = document
        return bool(items)

    def changed(self) -> list[Document]:
        """Sets that are to be written, until `written`."""
        return list(self._changed.values())

    def kept(self) -> set[Key]:
        """Sets that stay as they are on disk, whether they are there or not."""
        return {Key("XdpAddressSet", name) for name in self._names - self._gone}

    def written(self) -> None:
        """They are on disk; memory need not hold them any longer."""
        self._changed = {}

    def stop(self) -> None:
        """Follow nothing any more."""
        if self._reflector is not None:
            self._reflector.stop()
        self._inbox = self._reflector = None

    def _follow(self, names: frozenset[str], inbox: SetInbox) -> Reflector:
        """One watch, however many sets are needed; a selector takes one name."""
        if len(names) == 1:
            selector = f"metadata.name={next(iter(names))}"
            query = Query(resource=ADDRESS_SETS, field_selector=selector)
            return Reflector(self._api, query, inbox)
        query = Query(resource=ADDRESS_SETS, metadata_only=True)
        reader = SetReader(names, partial(self._api.get, ADDRESS_SETS), inbox)
        return Reflector(self._api, query, reader)


def _checked(item: Document) -> Document | None:
    """The set as it is stored; None, and the old content stays, where it cannot be read."""
    metadata = cast(Document, item["metadata"])
    document: Document = {
        "apiVersion": ADDRESS_SETS.api_version,
        "kind": ADDRESS_SETS.kind,
        "metadata": {name: metadata[name] for name in ("name", "uid", "generation")},
        "spec": item.get("spec"),
    }
    try:
        decode_address_set(document)
    except InvalidInput as error:
        log.error("XdpAddressSet %s stays as it was: %s", metadata["name"], error)
        return None
    return document
