"""From Nodes and XdpRedirectNodes as the API server sends them to what the operator knows. Pure.

Called by `fleet` for every event of the fleet, so it takes only what is needed.
"""

from collections.abc import Mapping

from xdpredirect.api.node_pods import NodePod, NodePods
from xdpredirect.controller.observed import Document, Entry, Loss, Node, NodeObject, Refusal, Report
from xdpredirect.controller.plain import (
    Value,
    child,
    children,
    compact,
    digest,
    number,
    text,
    texts,
)

_KEPT = ("name", "uid", "resourceVersion", "labels", "deletionTimestamp")
_UNREACHABLE = "node.kubernetes.io/unreachable"
_NOT_READY = ("node.kubernetes.io/not-ready", "NoExecute")
"""Taints of the node lifecycle controller: kubelet is not heard of any more; or says not to be
ready, and pods have to leave."""


def node_essence(document: Document) -> Document:
    """What `read_node` needs of a Node. The rest, images and conditions most of all, is some 10 kB
    for each of thousands."""
    metadata, spec = child(document, "metadata"), child(document, "spec")
    taints = [
        {"key": text(item, "key"), "effect": text(item, "effect")}
        for item in children(spec, "taints")
    ]
    kept: Document = {"metadata": {key: metadata[key] for key in _KEPT if key in metadata}}
    return {**kept, "spec": {"taints": taints}} if taints else kept


def read_node(document: Value) -> Node:
    """Of a Node, or of its essence."""
    metadata = child(document, "metadata")
    labels = child(metadata, "labels")
    return Node(
        name=text(metadata, "name"),
        uid=text(metadata, "uid"),
        labels={key: value for key, value in labels.items() if isinstance(value, str)},
        deleting="deletionTimestamp" in metadata,
        unreachable=any(map(_cut_off, children(child(document, "spec"), "taints"))),
        resource_version=text(metadata, "resourceVersion"),
    )


def _cut_off(taint: Value) -> bool:
    key, effect = text(taint, "key"), text(taint, "effect")
    return key == _UNREACHABLE or (key, effect) == _NOT_READY


def read_node_object(document: Value, before: NodeObject | None = None) -> NodeObject:
    """`before` is the same object as it was known last: of an unchanged spec nothing is read."""
    metadata, spec, status = (child(document, part) for part in ("metadata", "spec", "status"))
    uid, generation = text(metadata, "uid"), number(metadata, "generation")
    if before is not None and before.uid != uid:
        before = None
    known = before is not None and before.generation == generation
    entries = before.entries if known and before is not None else _entries(spec)
    revision = number(spec, "revision")
    reports = {text(item, "name"): _report(item) for item in children(status, "redirects")}
    observed = number(status, "observedRevision")
    return NodeObject(
        name=text(metadata, "name"),
        uid=uid,
        generation=generation,
        resource_version=text(metadata, "resourceVersion"),
        owner=next((text(owner, "uid") for owner in children(metadata, "ownerReferences")), ""),
        revision=revision,
        entries=entries,
        since=before.since if known and before is not None else _since(entries, revision, before),
        earlier=_earlier(before) if observed < revision else frozenset(),
        features=texts(spec, "requiredFeatures"),
        address_sets=texts(spec, "addressSets"),
        pods=before.pods if known and before is not None else _pods(spec),
        reported=_reported(metadata),
        observed_revision=observed,
        reports=reports,
        refusal=_refusal(status, generation, reports),
    )


def _entries(spec: Value) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            name=text(item, "name"),
            uid=text(item, "uid"),
            generation=number(item, "generation"),
            digest=digest(compact(child(item, "spec"))),
        )
        for item in children(spec, "redirects")
    )


def _pods(spec: Value) -> dict[str, NodePods]:
    return {
        text(item, "name"): NodePods(
            listed=tuple(map(_pod, children(item, "pods"))), left_out=number(item, "podsLeftOut")
        )
        for item in children(spec, "redirects")
        if "pods" in item
    }


def _pod(item: Value) -> NodePod:
    return NodePod(
        rule=text(item, "rule"),
        namespace=text(item, "namespace"),
        name=text(item, "name"),
        uid=text(item, "uid"),
        refused=text(item, "refused"),
    )


def _since(entries: tuple[Entry, ...], revision: int, before: NodeObject | None) -> dict[str, int]:
    """Since when each entry is there. Between revisions that were not seen it may have been gone,
    so that only those of the revision before count."""
    if before is None or revision > before.revision + 1:
        return {entry.uid: revision for entry in entries}
    stayed = set(before.entries)
    return {
        entry.uid: before.since.get(entry.uid, revision) if entry in stayed else revision
        for entry in entries
    }


def _earlier(before: NodeObject | None) -> frozenset[str]:
    """What the agent may have read before a spec that it has not answered."""
    if before is None:
        return frozenset()
    return before.earlier.union(entry.name for entry in before.entries)


def _reported(metadata: Value) -> str:
    """When somebody wrote the status last, by the clock of the API server: to compare with what it
    was before, never with another clock."""
    stamps = (
        text(entry, "time")
        for entry in children(metadata, "managedFields")
        if text(entry, "subresource") == "status"
    )
    return max(stamps, default="")


def _report(item: Value) -> Report:
    risk, counts = child(item, "degraded"), child(item, "interfaceCounts")
    traffic = child(item, "traffic")
    return Report(
        uid=text(item, "uid"),
        generation=number(item, "observedGeneration"),
        state=text(item, "state"),
        reason=text(item, "reason"),
        message=text(item, "message"),
        risk=text(risk, "reason"),
        risk_message=text(risk, "message"),
        native=number(counts, "native"),
        generic=number(counts, "generic"),
        conflicted=number(counts, "conflicted"),
        redirected=number(traffic, "redirectedPackets"),
        passed=number(traffic, "passedPackets"),
        dropped=number(traffic, "droppedPackets"),
        lost=number(traffic, "lostPackets"),
        losses=tuple(map(_loss, children(item, "losses"))),
    )


def _loss(item: Value) -> Loss:
    return Loss(
        reason=text(item, "reason"),
        errno=text(item, "errno"),
        rule=text(item, "rule"),
        packets=number(item, "packets"),
        hint=text(item, "hint"),
    )


def _refusal(status: Value, generation: int, reports: Mapping[str, Report]) -> Refusal | None:
    """The agent's Stalled condition about this generation of the node object, unless it only sums
    up what one of the reports says."""
    for item in children(status, "conditions"):
        if (text(item, "type"), text(item, "status")) != ("Stalled", "True"):
            continue
        reason = text(item, "reason")
        current = number(item, "observedGeneration") == generation
        if current and all(report.reason != reason for report in reports.values()):
            return Refusal(reason=reason, message=text(item, "message"))
    return None
