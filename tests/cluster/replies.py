"""Nodes whose agents are a few lines of a test: they report what the test tells them to.

Called by test_operator*, by the requests that an agent makes. Real agents are in `nodes`.
"""

import json
from collections.abc import Mapping
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.wire import GROUP, Wire

APPLY = "application/apply-patch+yaml"
KINDS = ("xdpredirects", "xdpredirectnodes")


class Answering:
    """Nodes of one test; nothing keeps their Node objects Ready, and the operator does not ask."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.wire = cluster, Wire(cluster)
        self.names: list[str] = []

    def add(self, *names: str, **labels: str) -> None:
        """Makes Node objects, or labels those that are there."""
        for name in names:
            metadata = {"name": name, "labels": labels}
            document = {"apiVersion": "v1", "kind": "Node", "metadata": metadata}
            self.cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(document))
            if name not in self.names:
                self.names.append(name)

    def spec(self, node: str) -> dict[str, Any]:
        """The spec of the node's object; empty while there is none."""
        answer = self.wire.request("GET", f"{GROUP}/xdpredirectnodes/{node}")
        return dict(answer.body["spec"]) if answer.status == 200 else {}

    def told(self, node: str) -> list[tuple[str, int]]:
        """Name and generation of each object that the node is told to run."""
        return [(item["name"], item["generation"]) for item in self.spec(node).get("redirects", [])]

    def reply(self, *nodes: str, state: str = "Active", **more: Any) -> None:
        """The agents (all of them unless named) act on the spec as it is now, and report."""
        for node in nodes or tuple(self.names):
            spec = self.spec(node)
            if not spec:
                continue
            status = {
                "observedRevision": spec["revision"],
                "redirects": [report(item, state, **more) for item in spec["redirects"]],
            }
            document = {
                "apiVersion": "xdpredirect.io/v1alpha1",
                "kind": "XdpRedirectNode",
                "metadata": {"name": node},
                "status": status,
            }
            query = "fieldManager=xdpredirect-agent&force=true&fieldValidation=Strict"
            path = f"{GROUP}/xdpredirectnodes/{node}/status?{query}"
            answer = self.wire.request("PATCH", path, document, APPLY)
            # The garbage collector may have been faster.
            assert answer.status in (200, 404), answer

    def remove(self, *names: str) -> None:
        """Deletes Nodes, and their objects as the garbage collector would in a moment."""
        for name in names:
            self.wire.request("DELETE", f"/api/v1/nodes/{name}")
            self.wire.request("DELETE", f"{GROUP}/xdpredirectnodes/{name}")
            self.names.remove(name)


def report(item: Mapping[str, Any], state: str, **more: Any) -> dict[str, Any]:
    """What an agent says about one object."""
    return {
        "name": item["name"],
        "uid": item["uid"],
        "observedGeneration": item["generation"],
        "appliedGeneration": item["generation"],
        "state": state,
        "reason": "Redirecting" if state == "Active" else state,
        "message": f"{state}, says the agent",
        "interfaceCounts": {"native": 1, "generic": 0, "conflicted": 0, "failed": 0},
        "interfaces": [{"name": "eth0", "state": "Attached", "mode": "Native", "frags": False}],
        "traffic": {
            "redirectedPackets": 100,
            "passedPackets": 20,
            "droppedPackets": 3,
            "lostPackets": 0,
        },
        **more,
    }


def redirect(name: str, selector: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """An XdpRedirect for the nodes with all of these labels."""
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirect",
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {"matchLabels": dict(selector)},
            "interfaces": [{"names": ["eth0"]}],
            "rules": [
                {
                    "name": "all",
                    "match": {"all": True},
                    "action": {"type": "Device", "device": {"name": "eth1"}},
                }
            ],
            **more,
        },
    }


def versions(wire: Wire) -> dict[str, str]:
    """resourceVersion of every object of ours: a write that changes something changes one."""
    return {
        f"{kind}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for kind in KINDS
        for item in wire.request("GET", f"{GROUP}/{kind}").body["items"]
    }
