"""Watches the pods of those namespaces that an object names, and of no others.

Made by `process`; `loop` asks it to follow before each plan. Where no object has clients of type
Pods no pod is ever asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from xdpredirect.cluster.api import Query
from xdpredirect.cluster.reflector import Sink
from xdpredirect.cluster.resource import PODS, Document
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.observe import Inbox
from xdpredirect.controller.observed import Redirect
from xdpredirect.controller.read_pod import RUNNING, pod_essence, read_pod


class Watching(Protocol):
    """What of `cluster.reflector.Reflector` is needed."""

    def start(self) -> None:
        """Begin, in a thread of its own."""
        ...

    def stop(self) -> None:
        """End soon."""
        ...


class PodSink:
    """Pods of one namespace, told by their reflector. What it still says after `live` has become
    False counts no more; only the loop's thread looks at it."""

    def __init__(self, namespace: str, inbox: Inbox) -> None:
        self._namespace, self._inbox = namespace, inbox
        self.live = True

    def replaced(self, items: Sequence[Document]) -> None:
        """Everything there is."""
        pods = [read_pod(item) for item in items]
        self._tell(lambda fleet: fleet.pods.listed(self._namespace, pods))

    def changed(self, item: Document) -> None:
        """A pod is new or another one."""
        pod = read_pod(item)
        self._tell(lambda fleet: fleet.pods.put(pod))

    def deleted(self, name: str) -> None:
        """A pod is gone, or its processes have ended."""
        self._tell(lambda fleet: fleet.pods.drop(self._namespace, name))

    def _tell(self, change: Callable[[Fleet], None]) -> None:
        self._inbox.put(lambda fleet: change(fleet) if self.live else None)


@dataclass(slots=True)
class PodWatch:
    """`watch` makes a reflector of a query; it is not started yet."""

    watch: Callable[[Query, Sink], Watching]
    inbox: Inbox
    _running: dict[str, tuple[PodSink, Watching]] = field(default_factory=dict)

    def follow(self, fleet: Fleet) -> None:
        """To be called before each plan, in the loop's thread."""
        wanted = namespaces(fleet.redirects.values())
        for name in sorted(self._running.keys() - wanted):
            self._end(name)
            fleet.pods.forget(name)
        for name in sorted(wanted - self._running.keys()):
            sink = PodSink(name, self.inbox)
            query = Query(
                resource=PODS.within(name), field_selector=RUNNING, essence=pod_essence, page=100
            )
            watching = self.watch(query, sink)
            self._running[name] = sink, watching
            watching.start()

    def stop(self) -> None:
        """End all of them soon."""
        for name in [*self._running]:
            self._end(name)

    def _end(self, name: str) -> None:
        sink, watching = self._running.pop(name)
        sink.live = False
        watching.stop()


def namespaces(redirects: Iterable[Redirect]) -> frozenset[str]:
    """Those that clients of type Pods name. An object that is being deleted has no clients."""
    return frozenset(
        clients.namespace
        for redirect in redirects
        if not redirect.deleting
        for _, clients in redirect.pods
    )
