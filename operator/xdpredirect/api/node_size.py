"""How large a node object may become, and what to leave out of a status that would be larger. Pure.

etcd refuses an object above ETCD_LIMIT. The operator keeps the spec below SPEC_LIMIT, the agent the
status below STATUS_LIMIT; what is left is for metadata, which others may write labels and
annotations to. Called by the operator's rendering and by whoever writes the status of a node.
"""

import json
from collections.abc import Iterator, Mapping
from typing import cast

from xdpredirect.conditions import shorten

Document = dict[str, object]

ETCD_LIMIT = 1_572_864
"""Octets of one request to etcd, unless somebody raised --max-request-bytes."""
SPEC_LIMIT = 1_200_000
"""Octets of the `.spec` of a node object."""
STATUS_LIMIT = 250_000
"""Octets of the `.status` of a node object."""

# What is left of a message when even the bare states of all redirects take too much room.
_SHORT_MESSAGE = 64


def stored_size(value: object) -> int:
    """Octets of a JSON value as an API server stores it: without spaces, in UTF-8, but with
    <, >, & and the two line separators of Unicode as escapes of six octets."""
    encoded = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    size = len(encoded.encode("utf-8", "surrogatepass"))
    size += 5 * sum(encoded.count(character) for character in "<>&")
    return size + 3 * sum(encoded.count(character) for character in "\u2028\u2029")


def fit_status(status: Mapping[str, object]) -> Document:
    """`status` of a node object, below STATUS_LIMIT.

    Leaves parts of `redirects` out, least important first and all redirects alike, and names them
    in `omitted`. What fits is returned as it is. States, counts and traffic are never left out.
    """
    fitted: Document = dict(status)
    for number, part in enumerate(_PARTS, 1):
        if stored_size(fitted) <= STATUS_LIMIT:
            break
        redirects = [_without(part, item) for item in _redirects(fitted)]
        fitted |= {"redirects": redirects, "omitted": list(_PARTS[:number])}
    return fitted


_PARTS = ("Rules", "Sockets", "Interfaces", "Losses", "Messages")


def _redirects(status: Mapping[str, object]) -> Iterator[Document]:
    yield from cast("list[Document]", status.get("redirects", []))


def _without(part: str, redirect: Document) -> Document:
    match part:
        case "Rules" | "Sockets" | "Interfaces":
            return {name: value for name, value in redirect.items() if name != part.lower()}
        case "Losses":
            return _first_loss(redirect)
    return _short(redirect)


def _first_loss(redirect: Document) -> Document:
    losses = redirect.get("losses")
    return redirect | {"losses": losses[:1]} if isinstance(losses, list) else redirect


def _short(redirect: Document) -> Document:
    """Without losses, whose hints are messages too."""
    short = {name: value for name, value in redirect.items() if name != "losses"}
    short["message"] = shorten(str(redirect["message"]), _SHORT_MESSAGE)
    risk = redirect.get("degraded")
    if isinstance(risk, Mapping):
        short["degraded"] = {**risk, "message": shorten(str(risk["message"]), _SHORT_MESSAGE)}
    return short
