"""Carries actions out: the only place where the operator writes to the cluster.

Called by `loop`, from several threads at once.
"""

from collections.abc import Mapping
from typing import Protocol

from xdpredirect.api.decode import API_VERSION
from xdpredirect.cluster.resource import (
    DAEMONSETS,
    EVENTS,
    NODE_OBJECTS,
    NODES,
    REDIRECTS,
    Document,
    Resource,
)
from xdpredirect.controller.actions import (
    Action,
    AddFinalizer,
    ApplyDaemonSet,
    ApplyNodeObject,
    ApplyStatus,
    LabelNode,
    PostEvent,
    RemoveFinalizer,
)
from xdpredirect.controller.agents import LABEL, LABEL_VALUE
from xdpredirect.controller.event import event_document
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.observed import Node
from xdpredirect.controller.plain import child, text
from xdpredirect.controller.read_node import read_node_object
from xdpredirect.controller.render import node_document
from xdpredirect.errors import ApiError, XdpRedirectError

MANAGER = "xdpredirect-operator"
EVENT_NAMESPACE = "default"
"""Where events about objects without a namespace are kept."""


class Writes(Protocol):
    """What of `cluster.api.Api` is needed to act."""

    def apply(
        self,
        resource: Resource,
        document: Document,
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> Document:
        """Server-side apply."""
        ...

    def merge_patch(
        self, resource: Resource, name: str, patch: Document, *, subresource: str = ""
    ) -> Document:
        """JSON merge patch."""
        ...

    def create(self, resource: Resource, document: Document) -> Document:
        """A new object."""
        ...


class Actor:
    """`instance` is the name of this process in events.

    A write of a process that has just lost its lease is refused where it carries the version of
    what it saw: finalizers, statuses, and every node object but the first. The first apply of a
    node object carries none (server-side apply has no "only if it is not there"), but a revision:
    that begins with the number of the leader, and the CRD lets none count down. Two are not
    refused, and the next leader puts them right as soon as its watch brings them: the label of a
    Node, whose own versions change with every heartbeat, and the DaemonSet, likewise.
    """

    def __init__(self, api: Writes, instance: str) -> None:
        self._api, self._instance = api, instance

    def perform(self, action: Action, now: float) -> Document | None:
        """The object as it is stored now; None for what the caches do not keep.

        Raises ApiError; the action is then planned again from what the cluster says.
        """
        match action:
            case AddFinalizer() | RemoveFinalizer():
                return self._finalize(action)
            case ApplyNodeObject():
                return self._apply_node(action)
            case LabelNode(node=node, wanted=wanted):
                return self._label_node(node, wanted)
            case ApplyDaemonSet(document=document):
                metadata = child(document, "metadata")
                within = DAEMONSETS.within(text(metadata, "namespace"))
                return self._api.apply(within, document, manager=MANAGER)
            case ApplyStatus():
                return self._apply_status(action)
            case PostEvent():
                events = EVENTS.within(EVENT_NAMESPACE)
                self._api.create(events, event_document(action, self._instance, now))
                return None

    def _finalize(self, action: AddFinalizer | RemoveFinalizer) -> Document:
        # The whole list, whoever of several managers put ours there; the version keeps others'.
        metadata: Document = {
            "resourceVersion": action.resource_version,
            "finalizers": list(action.finalizers),
        }
        return self._api.merge_patch(REDIRECTS, action.redirect, {"metadata": metadata})

    def _apply_node(self, action: ApplyNodeObject) -> Document:
        document = node_document(action.rendered, action.node, action.there, action.revision)
        stored = self._api.apply(NODE_OBJECTS, document, manager=MANAGER)
        if not action.rendered.is_in(read_node_object(stored)):
            raise XdpRedirectError(
                f"XdpRedirectNode {action.node.name} was stored otherwise than it was sent; "
                "bring the CRD xdpredirectnodes to the version of the operator"
            )
        return stored

    def _label_node(self, node: Node, wanted: bool) -> Document:
        labels: Document = {LABEL: LABEL_VALUE if wanted else None}
        return self._api.merge_patch(
            NODES, node.name, {"metadata": {"uid": node.uid, "labels": labels}}
        )

    def _apply_status(self, action: ApplyStatus) -> Document | None:
        # With the version of what it is about: who has lost the lease, and does not know it yet,
        # is refused instead of taking back what the next leader said.
        document: Document = {
            "apiVersion": API_VERSION,
            "kind": REDIRECTS.kind,
            "metadata": {
                "name": action.redirect,
                "uid": action.uid,
                "resourceVersion": action.resource_version,
            },
            "status": dict(action.status),
        }
        try:
            return self._api.apply(REDIRECTS, document, manager=MANAGER, subresource="status")
        except ApiError as error:
            if error.status == 404:
                return None  # deleted meanwhile
            raise


def take(fleet: Fleet, action: Action, stored: Mapping[str, object] | None) -> None:
    """Put what an action left behind into the caches, without waiting for the watch to say it."""
    match action:
        case LabelNode() if stored is not None:
            fleet.put_node(dict(stored))
        case ApplyDaemonSet() if stored is not None:
            fleet.agents.put(dict(stored), applied=True)
        case ApplyNodeObject() if stored is not None:
            fleet.put_object(dict(stored))
        case AddFinalizer() | RemoveFinalizer() | ApplyStatus() if stored is not None:
            if _there(stored):
                fleet.put_redirect(dict(stored))
            else:
                fleet.drop_redirect(action.redirect)
        case _:
            pass


def _there(stored: Mapping[str, object]) -> bool:
    """Whether the answer is an object that still is there: without its last finalizer it is not."""
    metadata = stored.get("metadata")
    if not isinstance(metadata, Mapping):
        return False
    return "deletionTimestamp" not in metadata or bool(metadata.get("finalizers"))
