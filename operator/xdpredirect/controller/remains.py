"""Looks for what of the product is left in a cluster.

Called by `uninstall`, in each of its rounds. A kind that is not there any more has no objects.
"""

from collections.abc import Iterable

from xdpredirect.cluster.api import Api, Query
from xdpredirect.cluster.resource import (
    DAEMONSETS,
    DEPLOYMENTS,
    LEASES,
    NODE_OBJECTS,
    NODES,
    REDIRECTS,
    Document,
)
from xdpredirect.controller.agents import LABEL, LABEL_VALUE
from xdpredirect.controller.agents import NAME as AGENTS
from xdpredirect.controller.lease import LEASE
from xdpredirect.controller.observed import FINALIZER
from xdpredirect.controller.plain import child, children, number, text, texts
from xdpredirect.controller.read_node import read_node_object
from xdpredirect.controller.removal import Remains
from xdpredirect.errors import ApiError

OPERATOR = "xdp-redirect-operator"
"""Of its Deployment, in chart and kustomize base alike."""


class Observer:
    """`namespace` is that of operator and agents."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace

    def look(self, leads: bool) -> Remains:
        """What is left; no more than the next step asks for. Raises ApiError."""
        redirects = {
            text(child(item, "metadata"), "name"): _words(item) for item in self._redirects()
        }
        if redirects:
            return Remains(redirects=redirects, leads=leads)
        deployment = self.api.get(DEPLOYMENTS.within(self.namespace), OPERATOR)
        replicas = number(child(deployment or {}, "spec"), "replicas")
        if replicas or not leads:
            return Remains(replicas=replicas, leads=leads, holder=self._holder())
        wanted = f"{LABEL}={LABEL_VALUE}"
        labelled = self.api.list(NODES, label_selector=wanted).items
        return Remains(
            leads=True,
            agents=self.api.get(DAEMONSETS.within(self.namespace), AGENTS) is not None,
            labelled=tuple(text(child(item, "metadata"), "name") for item in labelled),
            told=dict(map(_told, self._items(Query(resource=NODE_OBJECTS)))),
        )

    def _redirects(self) -> Iterable[Document]:
        return self._items(Query(resource=REDIRECTS))

    def _items(self, query: Query) -> Iterable[Document]:
        try:
            return self.api.list_all(query).items
        except ApiError as error:
            if error.status == 404:
                return ()
            raise

    def _holder(self) -> str:
        lease = self.api.get(LEASES.within(self.namespace), LEASE)
        return text(child(lease or {}, "spec"), "holderIdentity")


def _words(redirect: Document) -> str:
    """What an object waits for that is being deleted; empty for another one."""
    metadata = child(redirect, "metadata")
    if "deletionTimestamp" not in metadata:
        return ""
    others = [name for name in texts(metadata, "finalizers") if name != FINALIZER]
    if others and FINALIZER not in texts(metadata, "finalizers"):
        return f"its nodes have let go, and it is held by {', '.join(others)}"
    for item in children(child(redirect, "status"), "conditions"):
        if text(item, "type") == "Ready" and text(item, "reason") == "Deleting":
            return text(item, "message")
    return "is being deleted"


def _told(document: Document) -> tuple[str, bool]:
    node = read_node_object(document)
    return node.name, node.let_go
