"""kopf's watch against a server that breaks it: whatever ends it, it goes on, and a list is asked
for where events may have been missed."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.cluster.fake_server import (
    Handler,
    Step,
    error_event,
    event,
    refusal,
    serving,
    watch,
)
from xdpredirect.cluster.api import Api
from xdpredirect.controller import handlers, process
from xdpredirect.controller.observe import Inbox, RedirectFeed

PATIENCE_SECONDS = 30.0
JSON = {"Content_Type": "application/json"}
GROUP = "/apis/xdpredirect.io/v1alpha1"
VERSION = {"groupVersion": "xdpredirect.io/v1alpha1", "version": "v1alpha1"}
DISCOVERY: dict[str, Any] = {
    "/version": {"major": "1", "minor": "37"},
    "/api": {"versions": ["v1"]},
    "/api/v1": {"resources": [
        {"name": "namespaces", "kind": "Namespace", "singularName": "", "namespaced": False,
         "verbs": ["list", "watch"]},
        {"name": "events", "kind": "Event", "singularName": "", "namespaced": True, "verbs": []},
    ]},
    "/apis": {"groups": [
        {"name": "xdpredirect.io", "versions": [VERSION], "preferredVersion": VERSION},
    ]},
    GROUP: {"resources": [
        {"name": "xdpredirects", "kind": "XdpRedirect", "singularName": "xdpredirect",
         "namespaced": False, "verbs": ["list", "watch", "patch"]},
    ]},
}  # fmt: skip


def edge(version: int) -> dict[str, Any]:
    metadata = {"name": "edge", "uid": "u", "resourceVersion": str(version), "generation": 1}
    kind = {"apiVersion": "xdpredirect.io/v1alpha1", "kind": "XdpRedirect"}
    return {**kind, "metadata": metadata, "spec": {}}


class Server:
    """Lists hold nothing; watches answer by `watches`, the last of them again and again."""

    def __init__(self, *watches: Step, served: bool = True) -> None:
        self.watches, self.served, self.lists = list(watches), served, 0

    def __call__(self, handler: Handler) -> None:
        path, _, query = handler.path.partition("?")
        if path == f"{GROUP}/xdpredirects":
            self._objects(handler, "watch=" in query)
        elif path in DISCOVERY and (self.served or path != GROUP):
            handler.say(200, DISCOVERY[path], **JSON)
        else:
            refusal(404, "NotFound", **JSON)(handler)

    def _objects(self, handler: Handler, watching: bool) -> None:
        if not self.served:
            refusal(404, "NotFound", **JSON)(handler)
        elif watching:
            (self.watches.pop(0) if len(self.watches) > 1 else self.watches[0])(handler)
        else:
            self.lists += 1
            handler.say(200, {"items": [], "metadata": {"resourceVersion": "10"}}, **JSON)


class Full(Server):
    """Has no room for anybody, and says so for seven seconds."""

    def __call__(self, handler: Handler) -> None:
        refusal(429, "TooManyRequests", Retry_After="7", **JSON)(handler)


class Noted(threading.Event):
    """Keeps what it was asked to wait, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return super().wait(timeout)


class Watching:
    """The thread that runs kopf, against one server."""

    def __init__(self, api: Api) -> None:
        self.heard: list[tuple[str | None, str]] = []
        self.feed = RedirectFeed(Inbox(), api)
        self.feed.heard = self._heard  # type: ignore[method-assign]
        self.feed.list_now = False
        self.over = Noted()
        leader: Any = process.Leader(None, api, None, "here")  # type: ignore[arg-type]
        self.thread = threading.Thread(target=leader._watch_redirects, args=(self.feed, self.over))

    def _heard(self, kind: str | None, document: dict[str, object]) -> None:
        metadata: Any = document["metadata"]
        self.heard.append((kind, metadata["resourceVersion"]))

    def stop(self) -> None:
        self.over.set()
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same settings with shorter pauses."""
    made = handlers.settings

    def settings() -> Any:
        short = made()
        short.watching.reconnect_backoff = 0.01
        short.networking.error_backoffs = [0.01] * 3
        return short

    monkeypatch.setattr(handlers, "settings", settings)
    monkeypatch.setattr(process, "AGAIN_SECONDS", (0.01, 0.02))


@pytest.fixture
def start(quick: None) -> Iterator[Callable[[Server], Watching]]:
    made: list[tuple[Any, Watching]] = []

    def started(server: Server) -> Watching:
        context = serving(server)
        watching = Watching(Api(context.__enter__().access, "test"))
        made.append((context, watching))
        watching.thread.start()
        return watching

    yield started
    for context, watching in made:
        watching.stop()
        context.__exit__(None, None, None)


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


GOOD = watch(event("ADDED", edge(12)), end="open")
BREAKS = {
    "a connection that is cut": watch(end="cut"),
    "a watch that ends in order": watch(),
    "an outdated version in the stream": watch(error_event(410, "Expired")),
    "a failure in the stream": watch(error_event(500, "InternalError")),
    "too many requests in the stream": watch(error_event(429, "TooManyRequests")),
    "an outdated version": refusal(410, "Expired", **JSON),
    "too many requests": refusal(429, "TooManyRequests", Retry_After="0", **JSON),
    "a failure": refusal(500, "InternalError", **JSON),
    "a role that is not there yet": refusal(403, "Forbidden", **JSON),
}


@pytest.mark.parametrize("name", BREAKS)
def test_it_goes_on(name: str, start: Callable[[Server], Watching]) -> None:
    watching = start(Server(watch(event("ADDED", edge(11)), end=""), BREAKS[name], GOOD))
    until(lambda: ("ADDED", "12") in watching.heard, f"after {name} it hears again")


def test_what_ended_it_asks_for_a_list(start: Callable[[Server], Watching]) -> None:
    watching = start(Server(watch(error_event(500, "InternalError")), GOOD))
    until(lambda: watching.feed.list_now, "a list is asked for")


def test_a_kind_that_comes_later_is_watched(start: Callable[[Server], Watching]) -> None:
    server = Server(GOOD, served=False)
    watching = start(server)
    until(lambda: watching.feed.list_now, "it has looked")
    server.served = True
    until(lambda: ("ADDED", "12") in watching.heard, "it is watched")


def test_it_starts_no_sooner_than_the_server_asks(start: Callable[[Server], Watching]) -> None:
    watching = start(Full())
    until(lambda: watching.over.waits, "it waits")
    assert 7 <= (watching.over.waits[0] or 0) < 8
