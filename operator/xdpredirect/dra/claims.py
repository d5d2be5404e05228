"""From a ResourceClaim to who may take which queue: pure. Called by `driver` and `agent.broker`.

A claim opens nothing that no object opens: the pod must be among the clients of a rule that hands
out this queue. What it adds: the queue is that pod's alone, and the pod finds the broker.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from xdpredirect.dra.devices import DRIVER, Device, Document
from xdpredirect.dra.messages import ClaimRef
from xdpredirect.xsk.grants import Grant

Place = tuple[str, int]
"""Interface and queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue that was allocated to `requests` of a claim, as device `device`."""

    device: str
    interface: str
    queue: int
    requests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim that kubelet has asked us to prepare. `pods` are the UIDs it is reserved for."""

    namespace: str
    name: str
    uid: str
    pods: frozenset[str]
    queues: tuple[Queue, ...]


def read_claim(
    document: Mapping[str, object] | None, ref: ClaimRef, node: str, devices: Collection[Device]
) -> Claim | str:
    """What a ResourceClaim allocates on this node, or why it cannot be prepared. `document` is the
    claim as the API server has it, `devices` are those that the node offers."""
    metadata = _object((document or {}).get("metadata"))
    if document is None or metadata.get("uid") != ref.uid:
        return f"ResourceClaim {ref.namespace}/{ref.name} of UID {ref.uid} is gone"
    status = _object(document.get("status"))
    known = {device.name: device for device in devices}
    found: dict[str, Queue] = {}
    for result in _list(_object(_object(status.get("allocation")).get("devices")).get("results")):
        if result.get("driver") != DRIVER or result.get("pool") != node:
            continue
        # Of a request with alternatives it is `request/alternative`; containers name the request.
        name, request = str(result.get("device")), str(result.get("request")).partition("/")[0]
        device = known.get(name)
        if device is None:
            return f"no rule hands out device {name} of node {node} to pods (any more)"
        before = found[name].requests if name in found else ()
        found[name] = Queue(
            device=name,
            interface=device.interface,
            queue=device.queue,
            requests=(*before, request),
        )
    if not found:
        return f"ResourceClaim {ref.namespace}/{ref.name} has no device of node {node}"
    pods = (p for p in _list(status.get("reservedFor")) if p.get("resource") == "pods")
    return Claim(
        namespace=ref.namespace,
        name=ref.name,
        uid=ref.uid,
        pods=frozenset(str(pod.get("uid")) for pod in pods),
        queues=tuple(found.values()),
    )


def objection(claim: Claim, grants: Collection[Grant], others: Collection[Claim]) -> str:
    """Why its pods may not have these queues (yet); empty when one of them may."""
    for queue in claim.queues:
        place = (queue.interface, queue.queue)
        here = f"queue {queue.queue} of {queue.interface}"
        for other in others:
            if other.uid != claim.uid and place in _places(other):
                return f"{here} is claimed by {other.namespace}/{other.name}"
        on = [g for g in grants if g.interface == queue.interface and queue.queue in g.queues]
        if any(claim.pods & (grant.pods - grant.host_pods) for grant in on):
            continue
        if any(claim.pods & grant.host_pods for grant in on):
            return f"the pod lives in the network of the host, where a pod gets no socket: {here}"
        return f"no rule that hands out {here} has the pod among its clients"
    return ""


def narrowed(grants: Collection[Grant], claims: Collection[Claim]) -> tuple[Grant, ...]:
    """The grants, with claimed queues for the pods of their claim alone, as far as these have a
    grant by themselves."""
    claimed = {place: claim.pods for claim in claims for place in _places(claim)}
    return tuple(part for grant in grants for part in _parts(grant, claimed))


def _parts(grant: Grant, claimed: Mapping[Place, frozenset[str]]) -> Iterator[Grant]:
    taken = sorted(q for q in grant.queues if (grant.interface, q) in claimed)
    if not taken:
        yield grant
        return
    if left := grant.queues - frozenset(taken):
        yield replace(grant, queues=left)
    for queue in taken:
        pods = grant.pods & claimed[grant.interface, queue]
        yield replace(grant, queues=frozenset({queue}), users=frozenset(), pods=pods)


def _places(claim: Claim) -> frozenset[Place]:
    return frozenset((queue.interface, queue.queue) for queue in claim.queues)


def _object(value: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Document]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
