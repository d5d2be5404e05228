"""An API server in memory, as far as the operator uses one, with nodes that have agents.

Versions, generations, finalizers and conflicts behave as on a real one; tests/cluster asks that.
"""

import copy
import itertools
from datetime import UTC, datetime
from typing import Any

from tests.unit.controller.documents import report
from xdpredirect.cluster.api import Listing
from xdpredirect.cluster.resource import (
    DAEMONSETS,
    NODE_OBJECTS,
    NODES,
    PODS,
    REDIRECTS,
    Resource,
)
from xdpredirect.errors import ApiError

Document = dict[str, Any]
_APPLIED_METADATA = ("ownerReferences", "annotations")


class ModelCluster:
    """`store` is by plural and name; `events` are those posted, `writes` counts what changed."""

    def __init__(self) -> None:
        self.store: dict[str, dict[str, Document]] = {
            resource.plural: {} for resource in (REDIRECTS, NODE_OBJECTS, NODES, DAEMONSETS, PODS)
        }
        self.events: list[Document] = []
        self.now = 1_800_000_000.0
        self.writes = 0
        self._versions = itertools.count(1)
        self._uids = itertools.count(1)

    # What the operator calls.

    def get(self, resource: Resource, name: str) -> Document | None:
        return copy.deepcopy(self.store[resource.plural].get(name))

    def list(self, resource: Resource) -> Listing:
        items = tuple(copy.deepcopy(list(self.store[resource.plural].values())))
        return Listing(items, str(next(self._versions)))

    def apply(
        self,
        resource: Resource,
        document: Document,
        *,
        manager: str,  # noqa: ARG002
        force: bool = True,  # noqa: ARG002
        subresource: str = "",
    ) -> Document:
        metadata = document["metadata"]
        stored = self._checked(resource, metadata)
        if stored is None:
            stored = self._create(resource, metadata["name"], {"spec": document["spec"]})
            for field in _APPLIED_METADATA:
                stored["metadata"][field] = copy.deepcopy(metadata.get(field, {}))
            self._stamp(stored, subresource)
            return copy.deepcopy(stored)
        wanted = copy.deepcopy(stored)
        part = subresource or "spec"
        wanted[part] = copy.deepcopy(document[part])
        if part == "status":
            _keep_conditions(stored.get("status", {}), wanted["status"])
        # The rule of the CRD.
        if resource is NODE_OBJECTS and wanted["spec"]["revision"] < stored["spec"]["revision"]:
            raise ApiError(422, "Invalid", "spec.revision: must not count down")
        for field in _APPLIED_METADATA:
            if field in metadata:
                wanted["metadata"][field] = copy.deepcopy(metadata[field])
        return self._store(resource, wanted, subresource)

    def merge_patch(
        self, resource: Resource, name: str, patch: Document, *, subresource: str = ""
    ) -> Document:
        stored = self._checked(resource, {"name": name, **patch["metadata"]})
        if stored is None:
            raise ApiError(404, "NotFound", name)
        wanted = copy.deepcopy(stored)
        if "finalizers" in patch["metadata"]:
            wanted["metadata"]["finalizers"] = patch["metadata"]["finalizers"]
        labels = {**wanted["metadata"].get("labels", {}), **patch["metadata"].get("labels", {})}
        wanted["metadata"]["labels"] = {k: v for k, v in labels.items() if v is not None}
        return self._store(resource, wanted, subresource)

    def create(self, resource: Resource, document: Document) -> Document:  # noqa: ARG002
        self.events.append(document)
        return document

    # What people do.

    def write_redirect(self, name: str, spec: Document) -> None:
        stored = self.store[REDIRECTS.plural].get(name)
        if stored is None:
            made = {"spec": copy.deepcopy(spec), "status": {"observedGeneration": -1}}
            self._create(REDIRECTS, name, made)
        elif "deletionTimestamp" not in stored["metadata"]:
            self._store(REDIRECTS, {**copy.deepcopy(stored), "spec": copy.deepcopy(spec)}, "")

    def delete(self, resource: Resource, name: str) -> None:
        stored = self.store[resource.plural].get(name)
        if stored is None:
            return
        if stored["metadata"].get("finalizers"):
            stored["metadata"].setdefault("deletionTimestamp", self._time())
            self._bump(stored)
            return
        del self.store[resource.plural][name]
        if resource is NODES:
            self._collect_garbage(stored["metadata"]["uid"])

    def write_node(self, name: str, labels: dict[str, str]) -> None:
        stored = self.store[NODES.plural].get(name)
        if stored is None:
            self._create(NODES, name, {})["metadata"]["labels"] = dict(labels)
        else:
            stored["metadata"]["labels"] = dict(labels)
            self._bump(stored)

    def taint(self, name: str, *taints: tuple[str, str]) -> None:
        """Key and effect of each; none takes them away."""
        stored = self.store[NODES.plural][name]
        stored["spec"] = {"taints": [{"key": key, "effect": effect} for key, effect in taints]}
        self._bump(stored)

    def write_pod(
        self,
        name: str,
        node: str,
        namespace: str = "ids",
        host_network: bool = False,
        **labels: str,
    ) -> str:
        """A pod that runs on a node; its UID. One of the same name and place gets other labels."""
        key = f"{namespace}/{name}"
        stored = self.store[PODS.plural].get(key)
        if stored is not None and stored["spec"]["nodeName"] != node:
            del self.store[PODS.plural][key]
            stored = None
        if stored is None:
            pod_spec = {"nodeName": node, "hostNetwork": host_network, "containers": [{}]}
            stored = self._create(PODS, key, {"spec": pod_spec})
            stored["metadata"] |= {"name": name, "namespace": namespace}
        stored["metadata"]["labels"] = dict(labels)
        self._bump(stored)
        return str(stored["metadata"]["uid"])

    # What an agent does: it acts on its spec at once, and reports.

    def run_agent(self, node: str, states: dict[str, str] | None = None) -> None:
        stored = self.store[NODE_OBJECTS.plural].get(node)
        if stored is None:
            return
        status = {
            "observedRevision": stored["spec"]["revision"],
            "redirects": [
                report(entry, (states or {}).get(entry["name"], "Active"))
                for entry in stored["spec"]["redirects"]
            ],
        }
        if stored.get("status") != status:
            stored["status"] = status
            self._stamp(stored, "status")
            self._bump(stored)

    def report(self, node: str, *, answers: bool = False, **more: Any) -> None:
        """The agent says `more` of everything that it reports, and acts on nothing; `answers`: it
        has read the spec."""
        stored = self.store[NODE_OBJECTS.plural][node]
        if answers:
            stored["status"]["observedRevision"] = stored["spec"]["revision"]
        for item in stored["status"]["redirects"]:
            item.update(more)
        self._stamp(stored, "status")
        self._bump(stored)

    def _checked(self, resource: Resource, metadata: Document) -> Document | None:
        stored = self.store[resource.plural].get(metadata["name"])
        found = stored["metadata"] if stored else {}
        for field in ("uid", "resourceVersion"):
            if metadata.get(field) and metadata[field] != found.get(field):
                raise ApiError(409, "Conflict", f"{metadata['name']}: {field} is another one")
        return stored

    def _create(self, resource: Resource, name: str, content: Document) -> Document:
        metadata = {
            "name": name,
            "uid": f"uid-{next(self._uids)}",
            "generation": 1,
            "creationTimestamp": self._time(),
        }
        stored = {"metadata": metadata, **copy.deepcopy(content)}
        self.store[resource.plural][name] = stored
        self._bump(stored)
        self.writes += 1
        return stored

    def _store(self, resource: Resource, wanted: Document, subresource: str) -> Document:
        name = wanted["metadata"]["name"]
        stored = self.store[resource.plural][name]
        if stored == wanted:
            return copy.deepcopy(stored)
        if stored.get("spec") != wanted.get("spec"):
            wanted["metadata"]["generation"] += 1
        self._stamp(wanted, subresource)
        self._bump(wanted)
        self.writes += 1
        self.store[resource.plural][name] = wanted
        if "deletionTimestamp" in wanted["metadata"] and not wanted["metadata"]["finalizers"]:
            del self.store[resource.plural][name]
        return copy.deepcopy(wanted)

    def _collect_garbage(self, owner: str) -> None:
        objects = self.store[NODE_OBJECTS.plural]
        for name, stored in list(objects.items()):
            if [item["uid"] for item in stored["metadata"]["ownerReferences"]] == [owner]:
                del objects[name]

    def _bump(self, stored: Document) -> None:
        stored["metadata"]["resourceVersion"] = str(next(self._versions))

    def _stamp(self, stored: Document, subresource: str) -> None:
        """What managedFields says about when somebody wrote last."""
        entries = stored["metadata"].setdefault("managedFields", [])
        others = [entry for entry in entries if entry.get("subresource", "") != subresource]
        stored["metadata"]["managedFields"] = [
            *others, {"subresource": subresource, "time": self._time()}
        ]  # fmt: skip

    def _time(self) -> str:
        return datetime.fromtimestamp(self.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _keep_conditions(before: Document, after: Document) -> None:
    """Conditions are a map by type: those that the writer does not name belong to others."""
    named = {item["type"] for item in after.get("conditions", [])}
    others = [item for item in before.get("conditions", []) if item["type"] not in named]
    if others:
        after["conditions"] = [*others, *after.get("conditions", [])]
