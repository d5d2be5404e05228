"""What a node object asks for, or why it is not followed. Pure; called by `agent.node_source`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from xdpredirect.api.node import decode_node, missing_features, to_documents
from xdpredirect.api.node_pods import NodePods
from xdpredirect.errors import InvalidInput

Document = dict[str, object]
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """A node object that can be followed. `generation` and `uid` are those of the node object,
    `documents` the XdpRedirects as the store takes them, `address_sets` the names they need, `pods`
    those that may take sockets, by XdpRedirect."""

    uid: str
    generation: int
    revision: int
    documents: tuple[Document, ...]
    address_sets: frozenset[str]
    pods: Mapping[str, NodePods]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A node object that is not followed; the datapath stays as it was. `revision` is 0 where it
    cannot be read."""

    uid: str
    generation: int
    revision: int
    reason: str
    message: str


def read_orders(document: Mapping[str, object], version: str) -> Orders | Refusal:
    """`document` as the API server sends it; `version` is this agent's, for the message."""
    metadata = _mapping(document.get("metadata"))
    uid, generation = str(metadata.get("uid", "")), _number(metadata.get("generation"))
    revision = _number(_mapping(document.get("spec")).get("revision"))
    missing = missing_features(document)
    if missing:
        words = (
            f"agent {version} does not know {', '.join(missing[:_SHOWN])}; upgrade the agent, "
            "until then nothing changes on this node"
        )
        return Refusal(
            uid=uid, generation=generation, revision=revision, reason="AgentTooOld", message=words
        )
    try:
        spec = decode_node(document)
    except InvalidInput as error:
        words = f"nothing changes on this node: {'; '.join(error.problems[:_SHOWN])}"
        return Refusal(
            uid=uid, generation=generation, revision=revision, reason="InvalidSpec", message=words
        )
    return Orders(
        uid=uid,
        generation=generation,
        revision=spec.revision,
        documents=to_documents(spec),
        address_sets=frozenset(spec.address_sets),
        pods={r.name: r.pods for r in spec.redirects if r.pods is not None},
    )


def _mapping(value: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], value) if isinstance(value, Mapping) else {}


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
