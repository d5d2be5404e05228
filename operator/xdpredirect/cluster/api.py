"""The verbs of the API server, on plain dicts. Called by the agent's cluster mode and the operator.

Every call has a connect and a read timeout and raises ApiError for whatever goes wrong; trying
again is the caller's decision.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from xdpredirect.cluster.access import Access, access_in_pod
from xdpredirect.cluster.resource import Document, Resource
from xdpredirect.cluster.transport import Request, Stream, Transport
from xdpredirect.errors import ApiError

PAGE = 500
_GONE = 410
_NOT_FOUND = 404
_METADATA = "as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What of a resource: the selectors in the API's own notation. `metadata_only` asks for
    apiVersion, kind and metadata alone. `essence` returns what is to be kept of an object; lists
    come `page` objects at a time, so that what is not kept never piles up."""

    resource: Resource
    field_selector: str = ""
    label_selector: str = ""
    metadata_only: bool = False
    essence: Callable[[Document], Document] | None = None
    page: int = PAGE

    def kept(self, item: Document) -> Document:
        """What the caller gets of an object."""
        return item if self.essence is None else self.essence(item)

    def accept(self, *, of_list: bool) -> str:
        """The media type of an answer."""
        if not self.metadata_only:
            return "application/json"
        return "application/json;" + _METADATA.format("List" if of_list else "")

    def selectors(self) -> dict[str, str]:
        """As they stand in a URL."""
        return {"fieldSelector": self.field_selector, "labelSelector": self.label_selector}


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects at one moment; a watch goes on from `resource_version`."""

    items: tuple[Document, ...]
    resource_version: str


class Api:
    """One API server, one identity; safe for several threads. Nothing waits longer than `patience`
    seconds for an answer."""

    def __init__(self, access: Access, user_agent: str, patience: float = math.inf) -> None:
        self.access, self.user_agent = access, user_agent
        self._transport = Transport(access, user_agent, patience)
        self.requests = self._transport.requests

    @classmethod
    def connect(cls, kubeconfig: Path | None, user_agent: str) -> "Api":
        """With the current context of a file, or with what kubelet gave this pod. No request is
        made. Raises InvalidInput."""
        if kubeconfig is None:
            return cls(access_in_pod(), user_agent)
        from xdpredirect.cluster.kubeconfig import access_from  # noqa: PLC0415 - YAML; no pod needs it

        return cls(access_from(kubeconfig), user_agent)

    def close(self) -> None:
        """Give idle connections up."""
        self._transport.close()

    def get(self, resource: Resource, name: str) -> Document | None:
        """The object; None when there is none."""
        try:
            return self._transport.send(Request(method="GET", path=resource.path(name)))
        except ApiError as error:
            if error.status == _NOT_FOUND and error.reason == "NotFound":
                return None
            raise

    def list(
        self, resource: Resource, *, field_selector: str = "", label_selector: str = ""
    ) -> Listing:
        """Everything of a kind that fits the selectors."""
        return self.list_all(
            Query(resource=resource, field_selector=field_selector, label_selector=label_selector)
        )

    def list_all(self, query: Query) -> Listing:
        """The same, page by page; in one piece when the pages are outdated before the last."""
        try:
            return self._pages(query, query.page)
        except ApiError as error:
            if error.status != _GONE:
                raise
            return self._pages(query, 0)

    def watch(
        self, query: Query, resource_version: str, *, seconds: int, read_seconds: float
    ) -> Stream:
        """Events after `resource_version`, bookmarks included, for at most `seconds`; a silence of
        `read_seconds` is an error."""
        asked = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(seconds),
        }
        return self._transport.stream(
            Request(
                method="GET",
                path=query.resource.path(),
                query={**query.selectors(), **asked},
                accept=query.accept(of_list=False),
                read_seconds=read_seconds,
            )
        )

    def apply(
        self,
        resource: Resource,
        document: Document,
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> Document:
        """Server-side apply: `manager` then owns exactly the fields that `document` holds. An
        unknown field is refused. Returns the object as stored."""
        query = {
            "fieldManager": manager,
            "force": "true" if force else "",
            "fieldValidation": "Strict",
        }
        return self._transport.send(
            Request(
                method="PATCH",
                path=resource.path(name_of(document), subresource),
                query=query,
                body=document,
                content_type="application/apply-patch+yaml",
            )
        )

    def merge_patch(
        self, resource: Resource, name: str, patch: Document, *, subresource: str = ""
    ) -> Document:
        """JSON merge patch; None takes a field away. Returns the object as stored."""
        return self._transport.send(
            Request(
                method="PATCH",
                path=resource.path(name, subresource),
                query={"fieldValidation": "Strict"},
                body=patch,
                content_type="application/merge-patch+json",
            )
        )

    def create(self, resource: Resource, document: Document, *, dry_run: bool = False) -> Document:
        """A new object as stored, or as it would be; ApiError 409 when there is one already."""
        query = {"fieldValidation": "Strict", "dryRun": "All" if dry_run else ""}
        return self._transport.send(
            Request(method="POST", path=resource.path(), query=query, body=document)
        )

    def replace(self, resource: Resource, document: Document) -> Document:
        """The object as given; ApiError 409 when it changed since the resourceVersion given."""
        path = resource.path(name_of(document))
        query = {"fieldValidation": "Strict"}
        return self._transport.send(Request(method="PUT", path=path, query=query, body=document))

    def delete(self, resource: Resource, name: str, *, uid: str = "") -> bool:
        """Ask for deletion; False when there is no such object. With `uid`, ApiError 409 when the
        name belongs to another object by now."""
        options: Document = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            self._transport.send(Request(method="DELETE", path=resource.path(name), body=options))
        except ApiError as error:
            if error.status == _NOT_FOUND and error.reason == "NotFound":
                return False
            raise
        return True

    def _pages(self, query: Query, size: int) -> Listing:
        items: list[Document] = []
        token = ""
        while True:
            asked = {"limit": str(size) if size else "", "continue": token}
            answer = self._transport.send(
                Request(
                    method="GET",
                    path=query.resource.path(),
                    query={**query.selectors(), **asked},
                    accept=query.accept(of_list=True),
                )
            )
            listed = cast("list[Document]", answer.get("items") or [])
            items += map(query.kept, listed)
            metadata = cast(Document, answer.get("metadata") or {})
            token = str(metadata.get("continue") or "")
            if not token:
                return Listing(tuple(items), str(metadata.get("resourceVersion") or ""))


def name_of(document: Document) -> str:
    """metadata.name. Raises KeyError when it is missing."""
    return str(cast(Document, document["metadata"])["name"])
