"""The pods of a node that may take sockets, as they stand in an XdpRedirectNode. Pure.

Written by the operator, which looks them up, and read by the agent, which does not: of pods it
knows what their processes' cgroups say, and that is a UID.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from xdpredirect.api.fields import Fields, integer, problem, text
from xdpredirect.api.wording import shown

Document = dict[str, object]
HOST_NETWORK = "HostNetwork"
MOST = 256
"""Of one redirect on one node; a bound of the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePod:
    """A pod that the clients of `rule` select. It may take sockets unless `refused`, a word, says
    why not."""

    rule: str
    namespace: str
    name: str
    uid: str
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePods:
    """Those of one redirect, in the order of its rules. `left_out` counts those for which the node
    object has no room."""

    listed: tuple[NodePod, ...] = ()
    left_out: int = 0


def encode_pods(pods: NodePods) -> Document:
    """The fields that an entry of spec.redirects has beside those of every other."""
    found: Document = {"pods": [_encoded(pod) for pod in pods.listed]}
    return {**found, "podsLeftOut": pods.left_out} if pods.left_out else found


def decode_pods(f: Fields) -> NodePods | None:
    """Of an entry of spec.redirects; None where it has none. Raises InvalidInput."""
    if not f.has("pods"):
        if f.has("podsLeftOut"):
            raise problem(f.path("podsLeftOut"), "belongs to pods; give both, or neither")
        return None
    listed = f.required("pods", _list)
    return NodePods(
        listed=tuple(_pod(item, f"{f.path('pods')}[{i}]") for i, item in enumerate(listed)),
        left_out=f.child("podsLeftOut", integer) or 0,
    )


def granted(pods: NodePods, rule: str) -> frozenset[str]:
    """UIDs of those that may take the sockets of a rule."""
    return _uids(pod for pod in pods.listed if pod.rule == rule and not pod.refused)


def refused(pods: NodePods, rule: str) -> frozenset[str]:
    """UIDs of those that are selected for it, and may not."""
    return _uids(pod for pod in pods.listed if pod.rule == rule and pod.refused)


def _uids(pods: Iterable[NodePod]) -> frozenset[str]:
    return frozenset(pod.uid for pod in pods)


def _encoded(pod: NodePod) -> Document:
    found: Document = {
        "rule": pod.rule,
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
    }
    return {**found, "refused": pod.refused} if pod.refused else found


def _pod(value: object, path: str) -> NodePod:
    f = Fields(value, path, ("rule", "namespace", "name", "uid", "refused"))
    return NodePod(
        rule=f.required("rule", text),
        namespace=f.required("namespace", text),
        name=f.required("name", text),
        uid=f.required("uid", text),
        # Whatever the word is: a newer operator may know further reasons to refuse.
        refused=f.child("refused", text) or "",
    )


def _list(value: object, path: str) -> list[object]:
    # Empty where no pod of this node is selected at the moment.
    if not isinstance(value, list):
        raise problem(path, f"must be a list, not {shown(value)}")
    return value
