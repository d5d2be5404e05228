"""From Pods as the API server sends them to what the operator keeps of them. Pure; called by
`pod_watch`.

The UID is the one of metadata, which nobody but the API server writes. That of a static pod is
another one on its node, and its annotation that says so may be written by anybody: static pods get
no socket.
"""

from collections.abc import Mapping

from xdpredirect.controller.observed import Document, Pod
from xdpredirect.controller.plain import child, text

RUNNING = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"
"""Field selector of pods whose processes may live. The API server says of others that they are
gone."""


def pod_essence(document: Document) -> Document:
    """What `read_pod` needs; the rest is some 10 kB for each of thousands."""
    metadata, spec = child(document, "metadata"), child(document, "spec")
    kept = ("namespace", "name", "uid", "labels")
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {key: spec[key] for key in ("nodeName", "hostNetwork") if key in spec},
    }


def read_pod(document: Mapping[str, object]) -> Pod:
    """Of a Pod, or of its essence."""
    metadata, spec = child(document, "metadata"), child(document, "spec")
    labels = child(metadata, "labels")
    return Pod(
        namespace=text(metadata, "namespace"),
        name=text(metadata, "name"),
        uid=text(metadata, "uid"),
        node=text(spec, "nodeName"),
        labels={key: value for key, value in labels.items() if isinstance(value, str)},
        host_network=spec.get("hostNetwork") is True,
    )
