"""Of all sets the metadata, of those needed the content: read when it changed, and only then."""

from typing import Any

import pytest

from xdpredirect.agent.inbox import SetInbox
from xdpredirect.agent.set_reader import SetReader
from xdpredirect.errors import ApiError


class Server:
    """`sets` are versions by name; `read` counts who was read."""

    def __init__(self, **sets: int) -> None:
        self.sets = sets
        self.read: list[str] = []
        self.failing: set[str] = set()
        self.news = 0
        self.inbox = SetInbox(frozenset({"a", "b"}), self.count)
        self.reader = SetReader(frozenset({"a", "b"}), self.get, self.inbox)

    def count(self) -> None:
        self.news += 1

    def get(self, name: str) -> dict[str, object] | None:
        self.read.append(name)
        if name in self.failing:
            raise ApiError(500, "InternalError", "no")
        return {**self.item(name), "spec": {}} if name in self.sets else None

    def item(self, name: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "resourceVersion": str(self.sets[name])}}

    def relist(self) -> None:
        self.reader.replaced([self.item(name) for name in self.sets])

    def taken(self) -> tuple[dict[str, int | None], bool]:
        """Versions of what the inbox got, and whether everything was heard of."""
        items, complete = self.inbox.take()
        versions = {name: self.version(item) if item else None for name, item in items.items()}
        return versions, complete

    def version(self, item: Any) -> int:
        assert "spec" in item, "metadata are not what is stored"
        return int(item["metadata"]["resourceVersion"])


def test_a_list_reads_what_is_needed_and_tells_it_at_once() -> None:
    server = Server(a=1, foreign=2)
    server.relist()
    assert server.read == ["a"]
    assert server.taken() == ({"a": 1, "b": None}, True)
    assert server.news == 1


def test_what_has_not_changed_is_not_read_again() -> None:
    server = Server(a=1, b=2)
    server.relist()
    server.taken()
    server.relist()
    server.reader.changed(server.item("a"))
    assert server.read == ["a", "b"]
    assert server.taken() == ({}, True)


def test_changes_and_deletions_are_news() -> None:
    server = Server(a=1, b=2, foreign=3)
    server.relist()
    server.taken()
    server.sets.update(a=5, foreign=6)
    server.reader.changed(server.item("a"))
    server.reader.changed(server.item("foreign"))
    assert server.taken() == ({"a": 5}, True)
    server.reader.deleted("a")
    assert server.taken() == ({"a": None}, True)
    # Its successor is another object, even where the name and, on a restored server, the version
    # are the same.
    server.reader.changed(server.item("a"))
    assert server.taken() == ({"a": 5}, True)
    assert server.news == 4


def test_a_set_that_went_away_while_it_was_to_be_read() -> None:
    server = Server(a=1, b=2)
    told = server.item("a")
    del server.sets["a"]
    server.reader.changed(told)
    server.relist()
    assert server.taken() == ({"a": None, "b": 2}, True)


def test_what_could_not_be_read_is_read_at_the_next_list() -> None:
    server = Server(a=1, b=2)
    server.failing = {"b"}
    with pytest.raises(ApiError):
        server.relist()
    assert server.taken() == ({"a": 1}, False)
    assert server.news == 0
    server.failing = set()
    server.relist()
    assert server.taken() == ({"b": 2}, True)
    assert server.read == ["a", "b", "b"]
