"""The spec of an XdpRedirectNode: what one node is to do. Pure.

The operator builds a NodeSpec from XdpRedirects and writes `encode_spec` of it; the agent decodes
what it was sent, strictly, and hands `to_documents` to its own store. Neither touches the redirects
inside: they stay the JSON that somebody wrote, without nodeSelector.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from xdpredirect.api.decode import API_VERSION, decode_redirect
from xdpredirect.api.fields import Fields, collected, distinct, integer, problem, text
from xdpredirect.api.node_features import FEATURES, address_sets_of, features_of
from xdpredirect.api.node_pods import NodePods, decode_pods, encode_pods
from xdpredirect.api.wording import shown
from xdpredirect.errors import InvalidInput

__all__ = [
    "FEATURES",
    "KIND",
    "NodeRedirect",
    "NodeSpec",
    "address_sets_of",
    "decode_node",
    "encode_spec",
    "features_of",
    "missing_features",
    "to_documents",
]

Document = dict[str, object]
KIND = "XdpRedirectNode"
_SPEC = ("revision", "requiredFeatures", "redirects", "addressSets")
_SELECTOR = "nodeSelector"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRedirect:
    """One XdpRedirect for one node. `spec` is its spec as JSON without nodeSelector, as generation
    `generation` of the object `uid` had it; nobody changes it. `pods` are there where its clients
    are pods."""

    name: str
    uid: str
    generation: int
    spec: Mapping[str, object] = field(hash=False)
    pods: NodePods | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """`redirects` in the order in which frames meet them, `address_sets` and `required_features`
    sorted by name. `revision` counts up with every change."""

    revision: int
    required_features: tuple[str, ...] = ()
    redirects: tuple[NodeRedirect, ...] = ()
    address_sets: tuple[str, ...] = ()


def encode_spec(spec: NodeSpec) -> Document:
    """The `.spec` of the node object. The redirects' own specs are shared, not copied."""
    return {
        "revision": spec.revision,
        "requiredFeatures": list(spec.required_features),
        "redirects": [_encoded(redirect) for redirect in spec.redirects],
        "addressSets": list(spec.address_sets),
    }


def _encoded(redirect: NodeRedirect) -> Document:
    return {
        "name": redirect.name,
        "uid": redirect.uid,
        "generation": redirect.generation,
        "spec": dict(redirect.spec),
        **(encode_pods(redirect.pods) if redirect.pods is not None else {}),
    }


def missing_features(document: Mapping[str, object]) -> tuple[str, ...]:
    """Those of spec.requiredFeatures that this version does not know, sorted.

    Asked before `decode_node`, and tolerant of everything else: a newer operator may also write
    fields that this version would refuse, and "upgrade the agent" is the truth about both.
    """
    spec = document.get("spec")
    listed = spec.get("requiredFeatures") if isinstance(spec, Mapping) else None
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    return tuple(sorted(set(names) - FEATURES))


def decode_node(document: Mapping[str, object]) -> NodeSpec:
    """The spec of a node object; its status is not read.

    Raises InvalidInput with one line per problem, each starting with the path of the field: an
    unknown field at any depth, a redirect that `decode_redirect` refuses, a missing feature.
    """
    f = Fields(document, "", ("apiVersion", "kind", "metadata", "spec", "status"))
    for name, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if f.required(name, text) != wanted:
            raise problem(name, f"must be {wanted}, not {shown(document[name])}")
    missing = missing_features(document)
    if missing:
        words = f"{', '.join(missing)} is unknown to this version; upgrade it"
        raise problem("spec.requiredFeatures", words)
    return f.required("spec", _spec)


def to_documents(spec: NodeSpec) -> tuple[Document, ...]:
    """XdpRedirects as the agent's store takes them, in the same order: nodeSelector selects every
    node, since somebody else has decided that; uid and generation are those of the cluster."""
    return tuple(_document(redirect) for redirect in spec.redirects)


def _document(redirect: NodeRedirect) -> Document:
    return {
        "apiVersion": API_VERSION,
        "kind": "XdpRedirect",
        "metadata": {
            "name": redirect.name,
            "uid": redirect.uid,
            "generation": redirect.generation,
        },
        "spec": {_SELECTOR: {}, **redirect.spec},
    }


def _spec(value: object, path: str) -> NodeSpec:
    f = Fields(value, path, _SPEC)
    redirects = f.required("redirects", _redirects)
    distinct((redirect.name for redirect in redirects), f.path("redirects"), "name")
    return NodeSpec(
        revision=f.required("revision", integer),
        required_features=f.required("requiredFeatures", _names),
        redirects=redirects,
        address_sets=f.required("addressSets", _names),
    )


def _names(value: object, path: str) -> tuple[str, ...]:
    return tuple(text(item, f"{path}[{i}]") for i, item in enumerate(_list(value, path)))


def _redirects(value: object, path: str) -> tuple[NodeRedirect, ...]:
    problems: list[str] = []
    found: list[NodeRedirect] = []
    for index, item in enumerate(_list(value, path)):
        where = f"{path}[{index}]"
        parsed = collected(problems, partial(_redirect, item, where))
        if parsed is not None:
            found.append(parsed)
    if problems:
        raise InvalidInput(tuple(problems))
    return tuple(found)


def _redirect(value: object, path: str) -> NodeRedirect:
    f = Fields(value, path, ("name", "uid", "generation", "spec", "pods", "podsLeftOut"))
    redirect = NodeRedirect(
        name=f.required("name", text),
        uid=f.required("uid", text),
        generation=f.required("generation", integer),
        spec=f.required("spec", _object),
        pods=decode_pods(f),
    )
    if _SELECTOR in redirect.spec:
        raise problem(f"{path}.spec.{_SELECTOR}", "is decided by the operator; remove it")
    try:
        decode_redirect(_document(redirect))
    except InvalidInput as error:
        raise InvalidInput(tuple(f"{path}.{line}" for line in error.problems)) from None
    return redirect


def _object(value: object, path: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise problem(path, f"must be an object, not {shown(value)}")
    return value


def _list(value: object, path: str) -> list[object]:
    # Unlike lists of an XdpRedirect these may be empty: that is how a node is told to detach.
    if not isinstance(value, list):
        raise problem(path, f"must be a list, not {shown(value)}")
    return value
