"""Pods that may get sockets, by namespace and node; and which of them a node is told of. Pure.

Owned by `fleet`, filled by `pod_watch`, asked by `plan`. Only namespaces that an object names are
here, and of each pod only what decides.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from xdpredirect.api.clients import PodClients
from xdpredirect.api.node_pods import HOST_NETWORK, MOST, NodePod, NodePods
from xdpredirect.api.selector import selects_labels
from xdpredirect.controller.observed import NodeObject, Pod, Redirect

_ENVELOPE = 64
"""Octets of an entry beside its texts."""
ROOM = 64 * 1024
"""Octets for the pods of one node object."""


class Changed(NamedTuple):
    """Nodes of pods that came, went or changed; namespaces that were listed for the first time."""

    nodes: frozenset[str]
    namespaces: frozenset[str]


class PodBook:
    """`known` has the namespaces that were listed: of others nobody can say what is there."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self._pods: dict[str, dict[str, Pod]] = {}
        self._here: dict[tuple[str, str], dict[str, Pod]] = {}
        self._nodes: set[str] = set()
        self._listed: set[str] = set()

    @property
    def idle(self) -> bool:
        """Whether nothing changed since the last `take`."""
        return not (self._nodes or self._listed)

    def take(self) -> Changed:
        """What changed since the last call."""
        changed = Changed(frozenset(self._nodes), frozenset(self._listed))
        self._nodes, self._listed = set(), set()
        return changed

    def on(self, namespace: str, node: str) -> Iterable[Pod]:
        """The pods of a namespace that run on a node, in no order."""
        return self._here.get((namespace, node), {}).values()

    def listed(self, namespace: str, pods: Iterable[Pod]) -> None:
        """These are all pods of a namespace."""
        found = {pod.name: pod for pod in pods}
        for name in self._pods.get(namespace, {}).keys() - found.keys():
            self.drop(namespace, name)
        for pod in found.values():
            self.put(pod)
        if namespace not in self.known:
            self.known.add(namespace)
            self._listed.add(namespace)

    def put(self, pod: Pod) -> None:
        """A pod is there, as it is now."""
        there = self._pods.setdefault(pod.namespace, {})
        if there.get(pod.name) == pod:
            return
        self.drop(pod.namespace, pod.name)
        there[pod.name] = pod
        self._here.setdefault((pod.namespace, pod.node), {})[pod.name] = pod
        self._nodes.add(pod.node)

    def drop(self, namespace: str, name: str) -> None:
        """A pod is gone."""
        old = self._pods.get(namespace, {}).pop(name, None)
        if old is None:
            return
        here = self._here[namespace, old.node]
        del here[name]
        if not here:
            del self._here[namespace, old.node]
        self._nodes.add(old.node)

    def forget(self, namespace: str) -> None:
        """Nobody names this namespace any more."""
        for name in [*self._pods.get(namespace, {})]:
            self.drop(namespace, name)
        self._pods.pop(namespace, None)
        self.known.discard(namespace)
        self._listed.discard(namespace)


def pods_of(
    redirects: Iterable[Redirect], node: str, there: NodeObject | None, book: PodBook
) -> Mapping[str, NodePods]:
    """By redirect, for those with clients of type Pods: the pods of the node that they select.

    A namespace that is not listed yet keeps what the node object says, as long as the object is the
    same: an operator that has just started must not take sockets away.
    """
    found: dict[str, NodePods] = {}
    room = ROOM
    for redirect in redirects:
        if not redirect.pods:
            continue
        before = there.pods.get(redirect.name) if there else None
        known = before if there and redirect.entry in there.entries else None
        selected = dict.fromkeys(_selected(redirect, node, known, book))
        kept = _that_fit([*selected], set(before.listed) if before else set(), room)
        room -= sum(map(_size, kept))
        found[redirect.name] = NodePods(listed=kept, left_out=len(selected) - len(kept))
    return found


def _selected(
    redirect: Redirect, node: str, known: NodePods | None, book: PodBook
) -> Iterator[NodePod]:
    for rule, clients in redirect.pods:
        if clients.namespace in book.known:
            pods = [p for p in book.on(clients.namespace, node) if _selects(clients, p)]
            yield from (_told(rule, pod) for pod in sorted(pods, key=lambda p: (p.name, p.uid)))
        elif known is not None:
            yield from (
                pod
                for pod in known.listed
                if (pod.rule, pod.namespace) == (rule, clients.namespace)
            )


def _selects(clients: PodClients, pod: Pod) -> bool:
    return selects_labels(clients.selector, pod.labels)


def _told(rule: str, pod: Pod) -> NodePod:
    # In the host's network it could make sockets of its own, for any interface and queue; and what
    # is meant for a namespace of its own must never reach it.
    refused = HOST_NETWORK if pod.host_network else ""
    return NodePod(rule=rule, namespace=pod.namespace, name=pod.name, uid=pod.uid, refused=refused)


def _that_fit(pods: list[NodePod], before: set[NodePod], room: int) -> tuple[NodePod, ...]:
    """As many as there is room for; those that have it keep it."""
    taken: set[NodePod] = set()
    for pod in sorted(pods, key=lambda pod: pod not in before):
        size = _size(pod)
        if len(taken) < MOST and size <= room:
            taken.add(pod)
            room -= size
    return tuple(pod for pod in pods if pod in taken)


def _size(pod: NodePod) -> int:
    texts = (pod.rule, pod.namespace, pod.name, pod.uid, pod.refused)
    return _ENVELOPE + sum(map(len, texts))
