"""What one node is to do: the redirects that select it, as the spec of its node object. Pure.

Called by `plan` for every node that something has changed for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from xdpredirect.api.decode import API_VERSION
from xdpredirect.api.node import KIND, NodeRedirect, NodeSpec, encode_spec
from xdpredirect.api.node_pods import NodePods
from xdpredirect.api.node_size import SPEC_LIMIT
from xdpredirect.controller.observed import Document, Entry, Node, NodeObject, Redirect
from xdpredirect.controller.pods import ROOM as PODS_ROOM

_REDIRECTS, _FEATURES, _ADDRESS_SETS = 64, 128, 256
"""The bounds of the schema."""
_ENVELOPE = 160
"""Octets around the spec of one redirect: its name, uid and generation."""
_ROOM = SPEC_LIMIT - 64 * 1024 - PODS_ROOM
"""Octets for the redirects; the names of features and address sets, and pods, take the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Everything of a node's spec but its revision. `redirects` are in the order in which frames
    meet them; `left_out` names those that have no room. `pods` are by name of the redirect."""

    redirects: tuple[Redirect, ...] = ()
    features: tuple[str, ...] = ()
    address_sets: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    pods: Mapping[str, NodePods] = field(default_factory=dict, hash=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What tells one rendering from another."""
        return tuple(redirect.entry for redirect in self.redirects)

    def is_in(self, there: NodeObject) -> bool:
        """Whether the node object says just this."""
        return (
            self.entries == there.entries
            and self.features == there.features
            and self.address_sets == there.address_sets
            and self.pods == there.pods
        )


def render(redirects: Iterable[Redirect]) -> Rendered:
    """The rendering of the redirects that select one node. An object that is being deleted is left
    away; one that does not fit beside those before it in the order is left out, by name."""
    taken: list[Redirect] = []
    left_out: set[str] = set()
    size, features, address_sets = 0, set[str](), set[str]()
    for redirect in sorted(redirects, key=lambda r: (r.priority, r.name)):
        if redirect.deleting:
            continue
        new_size = size + redirect.size + _ENVELOPE
        new_features = features.union(redirect.features)
        new_sets = address_sets.union(redirect.address_sets)
        if (
            new_size > _ROOM
            or len(taken) == _REDIRECTS
            or len(new_features) > _FEATURES
            or len(new_sets) > _ADDRESS_SETS
        ):
            left_out.add(redirect.name)
            continue
        taken.append(redirect)
        size, features, address_sets = new_size, new_features, new_sets
    return Rendered(
        redirects=tuple(taken),
        features=tuple(sorted(features)),
        address_sets=tuple(sorted(address_sets)),
        left_out=frozenset(left_out),
    )


def left_out(redirects: Iterable[Redirect]) -> frozenset[str]:
    """What the rendering leaves out, cheaply where there is room for everything."""
    listed = [redirect for redirect in redirects if not redirect.deleting]
    if (
        sum(redirect.size + _ENVELOPE for redirect in listed) <= _ROOM
        and len(listed) <= _REDIRECTS
        and sum(len(redirect.features) for redirect in listed) <= _FEATURES
        and sum(len(redirect.address_sets) for redirect in listed) <= _ADDRESS_SETS
    ):
        return frozenset()
    return render(listed).left_out


def node_document(
    rendered: Rendered, node: Node, there: NodeObject | None, revision: int
) -> Document:
    """The node object as it is applied. It belongs to its Node, and goes when that goes.

    The version of `there` is in it: who applies on top of something that he has not seen, such as
    an operator that has just lost its lease, is refused.
    """
    metadata: Document = {
        "name": node.name,
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.uid}
        ],
    }
    if there is not None:
        metadata["resourceVersion"] = there.resource_version
        metadata["uid"] = there.uid
    spec = NodeSpec(
        revision=revision,
        required_features=rendered.features,
        redirects=tuple(
            NodeRedirect(
                name=r.name,
                uid=r.uid,
                generation=r.generation,
                spec=r.spec,
                pods=rendered.pods.get(r.name),
            )
            for r in rendered.redirects
        ),
        address_sets=rendered.address_sets,
    )
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata,
        "spec": encode_spec(spec),
    }
