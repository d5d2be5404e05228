"""Kinds of objects and where the API server keeps them. Pure.

Called by `cluster.api` and by everybody who names a kind to it.
"""

from dataclasses import dataclass, replace
from urllib.parse import quote

Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind. `namespace` is empty for a kind without namespaces, and for all of them."""

    group: str
    version: str
    plural: str
    kind: str
    namespace: str = ""

    @property
    def api_version(self) -> str:
        """`apiVersion` as it stands in an object."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def within(self, namespace: str) -> "Resource":
        """The same kind in one namespace."""
        return replace(self, namespace=namespace)

    def path(self, name: str = "", subresource: str = "") -> str:
        """The path of the collection, of object `name`, or of a subresource of it."""
        parts = ["apis", self.group] if self.group else ["api"]
        parts.append(self.version)
        if self.namespace:
            parts += ["namespaces", self.namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)


_OURS = ("xdpredirect.io", "v1alpha1")
REDIRECTS = Resource(*_OURS, "xdpredirects", "XdpRedirect")
ADDRESS_SETS = Resource(*_OURS, "xdpaddresssets", "XdpAddressSet")
NODE_OBJECTS = Resource(*_OURS, "xdpredirectnodes", "XdpRedirectNode")
NODES = Resource("", "v1", "nodes", "Node")
PODS = Resource("", "v1", "pods", "Pod")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
DAEMONSETS = Resource("apps", "v1", "daemonsets", "DaemonSet")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
RESOURCE_CLAIMS = Resource("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim")
RESOURCE_SLICES = Resource("resource.k8s.io", "v1", "resourceslices", "ResourceSlice")
CRDS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
)
