"""Reads the address sets that a node needs while it watches of all of them only the metadata.

Made by `agent.set_source` for a node that needs more than one set: a field selector takes one name,
and the content of every set of the cluster would pass by each agent instead.
"""

from collections.abc import Callable, Sequence
from typing import cast

from xdpredirect.agent.inbox import SetInbox
from xdpredirect.cluster.api import name_of
from xdpredirect.cluster.resource import Document


class SetReader:
    """A sink of metadata, in the thread of its reflector. `read` gets one set by name, None when
    there is none; the ApiError that it raises ends the reflector's watch, and what was not read
    is found missing at the next list."""

    def __init__(
        self, wanted: frozenset[str], read: Callable[[str], Document | None], inbox: SetInbox
    ) -> None:
        self._wanted, self._read, self._inbox = wanted, read, inbox
        self._versions: dict[str, str] = {}

    def replaced(self, items: Sequence[Document]) -> None:
        """As `cluster.reflector.Sink`. What has not changed is not read again."""
        for name in self._wanted - {name_of(item) for item in items}:
            self.deleted(name)
        for item in items:
            self.changed(item)
        self._inbox.told_all()

    def changed(self, item: Document) -> None:
        """As `cluster.reflector.Sink`."""
        name = name_of(item)
        if name not in self._wanted or _version(item) == self._versions.get(name):
            return
        found = self._read(name)
        if found is None:
            self.deleted(name)
            return
        # What was read may be newer than what was told; telling that is then no news.
        self._versions[name] = _version(found)
        self._inbox.changed(found)

    def deleted(self, name: str) -> None:
        """As `cluster.reflector.Sink`."""
        self._versions.pop(name, None)
        self._inbox.deleted(name)


def _version(item: Document) -> str:
    return str(cast(Document, item["metadata"])["resourceVersion"])
