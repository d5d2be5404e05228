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
    found = next(c for c in redirect(cluster, name)["status"]["conditions"] if c["type"] == kind)
    return found["status"], found["reason"]


def run_agents(cluster: ModelCluster, *nodes: str) -> None:
    for node in nodes or tuple(cluster.store[NODE_OBJECTS.plural]):
        cluster.run_agent(node)
