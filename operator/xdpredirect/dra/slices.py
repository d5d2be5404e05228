"""The ResourceSlices of a node: what is to be written so that they say which devices it has. Pure.

Called by `publisher`. All slices of a node are one pool, named like the node. Whoever reads them
takes a pool only when all of its slices have one generation, so a change writes all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

from xdpredirect.dra.devices import DRIVER, Device, Document, encoded

MOST_DEVICES = 128
"""Of one slice; a limit of the API."""
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Whose devices they are: a node, by name and UID. With the UID slices are removed with it; it
    is empty where it is unknown."""

    node: str
    uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """Slices to apply and then names of those to delete."""

    apply: tuple[Document, ...] = ()
    delete: tuple[str, ...] = ()


def plan(pool: Pool, devices: Iterable[Device], there: Iterable[Document]) -> Writes:
    """`there` are the slices of the node as the API server has them; those of other drivers are
    left alone."""
    ours = {_name(item): item for item in there if _spec(item).get("driver") == DRIVER}
    listed = [encoded(device) for device in sorted(devices, key=lambda device: device.name)]
    parts = [listed[at : at + MOST_DEVICES] for at in range(0, len(listed), MOST_DEVICES)]
    names = [_slice_name(pool.node, number) for number in range(len(parts))]
    gone = tuple(sorted(ours.keys() - set(names)))
    if not gone and _say(ours, dict(zip(names, parts, strict=True))):
        return Writes()
    generation = max((_generation(item) for item in ours.values()), default=0) + 1
    shared: Document = {
        "name": pool.node,
        "generation": generation,
        "resourceSliceCount": len(parts),
    }
    applied = (_slice(pool, n, shared, part) for n, part in zip(names, parts, strict=True))
    return Writes(apply=tuple(applied), delete=gone)


def _say(ours: Mapping[str, Document], wanted: Mapping[str, list[Document]]) -> bool:
    """Whether the slices that are there say this already, as one pool."""
    specs = {name: _spec(item) for name, item in ours.items()}
    if {name: spec.get("devices") for name, spec in specs.items()} != dict(wanted):
        return False
    pools = [cast(Document, spec.get("pool") or {}) for spec in specs.values()]
    return all(pool == pools[0] for pool in pools) and all(
        pool.get("resourceSliceCount") == len(wanted) for pool in pools
    )


def _slice(pool: Pool, name: str, shared: Document, devices: Sequence[Document]) -> Document:
    owner = {"apiVersion": "v1", "kind": "Node", "name": pool.node, "uid": pool.uid}
    owners: Document = {"ownerReferences": [owner]} if pool.uid else {}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": name, **owners},
        "spec": {
            "driver": DRIVER,
            "nodeName": pool.node,
            "pool": shared,
            "devices": list(devices),
        },
    }


def _slice_name(node: str, number: int) -> str:
    name = f"{node}-{DRIVER}-{number}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{sha256(node.encode()).hexdigest()}-{DRIVER}-{number}"


def _name(document: Document) -> str:
    return str(cast(Document, document["metadata"])["name"])


def _spec(document: Document) -> Document:
    return cast(Document, document.get("spec") or {})


def _generation(document: Document) -> int:
    pool = cast(Document, _spec(document).get("pool") or {})
    return cast(int, pool.get("generation", 0))
