"""XdpRedirects and node objects for bare requests, and who wrote them.

Called by the tests of our kinds and of the operator beside others.
"""

from typing import Any

from tests.cluster.wire import GROUP, Answer, Wire
from tests.unit.api.changes import example
from xdpredirect.api.node import NodeRedirect, NodeSpec, encode_spec

APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
REDIRECTS, NODES = f"{GROUP}/xdpredirects", f"{GROUP}/xdpredirectnodes"
OPERATOR, AGENT, PERSON = "xdpredirect-operator", "xdpredirect-agent", "person"
NODE = "objects-a"


def applied(wire: Wire, path: str, body: dict[str, Any], manager: str) -> Answer:
    query = f"fieldManager={manager}&force=true&fieldValidation=Strict"
    return wire.request("PATCH", f"{path}?{query}", body, APPLY)


def redirect(**spec: Any) -> dict[str, Any]:
    document = example("device.yaml")
    document["metadata"] = {"name": "edge"}
    document["spec"] |= spec
    return document


def of_kind(kind: str, name: str, **parts: Any) -> dict[str, Any]:
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        **parts,
    }


def node_spec(*specs: dict[str, Any], revision: int = 1) -> dict[str, Any]:
    redirects = tuple(
        NodeRedirect(name=f"edge-{i}", uid=f"u-{i}", generation=i + 1, spec=spec)
        for i, spec in enumerate(specs)
    )
    return encode_spec(NodeSpec(revision=revision, redirects=redirects))


def for_a_node(**spec: Any) -> dict[str, Any]:
    """The spec of a redirect as it stands in a node object."""
    wanted: dict[str, Any] = redirect(**spec)["spec"]
    del wanted["nodeSelector"]
    return wanted


def version(wire: Wire, path: str) -> str:
    return str(wire.request("GET", path).body["metadata"]["resourceVersion"])


def managers(wire: Wire, path: str) -> set[tuple[str, str]]:
    """(manager, subresource) of everybody who owns a field."""
    fields = wire.request("GET", path).body["metadata"]["managedFields"]
    return {(entry["manager"], entry.get("subresource", "")) for entry in fields}
