"""From an XdpRedirect as the API server sends it to what the operator knows of it. Pure.

Called by `fleet`, once for each change of an object.
"""

from xdpredirect.api.clients import PodClients
from xdpredirect.api.decode_clients import pod_clients
from xdpredirect.api.decode_labels import decode_selector
from xdpredirect.api.node import address_sets_of, features_of
from xdpredirect.api.node_size import stored_size
from xdpredirect.api.redirect import NodeSelector
from xdpredirect.controller.observed import Redirect
from xdpredirect.controller.plain import Value, child, compact, digest, number, text, texts
from xdpredirect.errors import InvalidInput

_SELECTOR = "nodeSelector"


def read_redirect(document: Value) -> Redirect:
    """Never fails: what cannot be read is in `problems`."""
    metadata, given = child(document, "metadata"), child(document, "spec")
    spec = {name: value for name, value in given.items() if name != _SELECTOR}
    selector, problems = _selector(given)
    pods, unreadable = _pods(given)
    priority = given.get("priority", 500)
    return Redirect(
        name=text(metadata, "name"),
        uid=text(metadata, "uid"),
        generation=number(metadata, "generation"),
        resource_version=text(metadata, "resourceVersion"),
        deleting="deletionTimestamp" in metadata,
        finalizers=texts(metadata, "finalizers"),
        selector=selector,
        priority=priority if isinstance(priority, int) else 500,
        state=text(given, "state") or "Active",
        spec=spec,
        digest=digest(compact(spec)),
        size=stored_size(spec),
        features=tuple(sorted(features_of(spec))),
        address_sets=tuple(sorted(address_sets_of(spec))),
        pods=pods,
        problems=(*problems, *unreadable),
        status=child(document, "status"),
    )


def _selector(spec: Value) -> tuple[NodeSelector, tuple[str, ...]]:
    try:
        return decode_selector(spec.get(_SELECTOR), f"spec.{_SELECTOR}"), ()
    except InvalidInput as error:
        return NodeSelector(), error.problems


def _pods(spec: Value) -> tuple[tuple[tuple[str, PodClients], ...], tuple[str, ...]]:
    try:
        return pod_clients(spec), ()
    except InvalidInput as error:
        return (), error.problems
