"""What a test asks a model cluster for."""

from typing import Any

from tests.unit.controller.model_cluster import ModelCluster
from xdpredirect.cluster.resource import NODE_OBJECTS, REDIRECTS


def node_spec(cluster: ModelCluster, name: str) -> dict[str, Any]:
    stored: dict[str, Any] = cluster.store[NODE_OBJECTS.plural][name]["spec"]
    return stored


def redirect(cluster: ModelCluster, name: str = "edge") -> dict[str, Any]:
    return cluster.store[REDIRECTS.plural][name]


def told(cluster: ModelCluster, name: str) -> list[str]:
    return [entry["name"] for entry in node_spec(cluster, name)["redirects"]]


def condition(cluster: ModelCluster, kind: str, name: str = "edge") -> tuple[str, str]:
    """Status and reason; empty before the first status."""
    listed = redirect(cluster, name)["status"].get("conditions", [])
    found = [(item["status"], item["reason"]) for item in listed if item["type"] == kind]
    return found[0] if found else ("", "")


def run_agents(cluster: ModelCluster, *nodes: str) -> None:
    for node in nodes or tuple(cluster.store[NODE_OBJECTS.plural]):
        cluster.run_agent(node)
