"""Requests that an agent has no right to, by what they would steal. For test_fence."""

from typing import Any, NamedTuple

from tests.cluster.installed import SYSTEM
from tests.cluster.wire import GROUP

APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
NODES = f"{GROUP}/xdpredirectnodes"
HERE, THERE = "fence-a", "fence-b"
EMPTY = {"revision": 1, "requiredFeatures": [], "redirects": [], "addressSets": []}


def node_object(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirectNode",
        "metadata": {"name": name},
        "spec": EMPTY,
    }


class Theft(NamedTuple):
    """A request that an agent has no right to."""

    method: str
    path: str
    body: Any = None
    content_type: str = MERGE


CORE, PODS = "/api/v1", f"/api/v1/namespaces/{SYSTEM}/pods"


THEFTS: dict[str, Theft] = {
    "its own spec": Theft("PATCH", f"{NODES}/{HERE}", {"spec": {"revision": 2}}),
    "its own spec, applied": Theft(
        "PATCH", f"{NODES}/{HERE}?fieldManager=xdpredirect-agent", node_object(HERE), APPLY
    ),
    "its own spec, replaced": Theft("PUT", f"{NODES}/{HERE}", node_object(HERE)),
    "its own labels": Theft("PATCH", f"{NODES}/{HERE}", {"metadata": {"labels": {"a": "b"}}}),
    "its own status, replaced": Theft("PUT", f"{NODES}/{HERE}/status", node_object(HERE)),
    "the spec of another": Theft("PATCH", f"{NODES}/{THERE}", {"spec": {"revision": 2}}),
    "a node object more": Theft("POST", NODES, node_object("fence-c"), "application/json"),
    "its own object removed": Theft("DELETE", f"{NODES}/{HERE}"),
    "every node object removed": Theft("DELETE", NODES),
    "the redirects": Theft("GET", f"{GROUP}/xdpredirects"),
    "a redirect changed": Theft("PATCH", f"{GROUP}/xdpredirects/a", {"spec": {"priority": 1}}),
    "a status of a redirect": Theft("PATCH", f"{GROUP}/xdpredirects/a/status", {"status": {}}),
    "an address set changed": Theft("PATCH", f"{GROUP}/xdpaddresssets/a", {"spec": {}}),
    "all secrets": Theft("GET", f"{CORE}/secrets"),
    "secrets beside it": Theft("GET", f"{CORE}/namespaces/{SYSTEM}/secrets"),
    "one secret": Theft("GET", f"{CORE}/namespaces/{SYSTEM}/secrets/a"),
    "config maps": Theft("GET", f"{CORE}/namespaces/{SYSTEM}/configmaps"),
    "all pods": Theft("GET", f"{CORE}/pods"),
    "pods beside it": Theft("GET", PODS),
    "a pod more": Theft("POST", PODS, {"metadata": {"name": "a"}}, "application/json"),
    "nodes": Theft("GET", f"{CORE}/nodes"),
    "its own node": Theft("PATCH", f"{CORE}/nodes/{HERE}", {"metadata": {"labels": {"a": "b"}}}),
    "another token": Theft(
        "POST",
        f"{CORE}/namespaces/{SYSTEM}/serviceaccounts/xdp-redirect-operator/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        "application/json",
    ),
    "its own daemon set": Theft("GET", f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets"),
    "the lease": Theft("GET", f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"),
    "an event": Theft("POST", f"{CORE}/namespaces/default/events", {}, "application/json"),
    "the policies": Theft(
        "GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    ),
}
