"""Specs of XdpRedirects and reports of agents, as an API server stores them."""

from typing import Any


def spec(priority: int = 500, state: str = "Active", **selector: str) -> dict[str, Any]:
    """An object for the nodes with all of these labels."""
    return {
        "nodeSelector": {"matchLabels": selector} if selector else {},
        "interfaces": [{"names": ["eth0"]}],
        "mode": "Native",
        "priority": priority,
        "state": state,
        "rules": [
            {
                "name": "all",
                "match": {"all": True},
                "action": {"type": "Device", "device": {"name": "eth1"}},
            }
        ],
    }


def sockets(namespace: str = "ids", priority: int = 500, **labels: str) -> dict[str, Any]:
    """An object for every node, whose queue 0 is for the pods of a namespace with these labels."""
    selector = {"matchLabels": labels} if labels else {}
    pods = {"namespace": namespace, "podSelector": selector}
    action = {
        "type": "Sockets",
        "sockets": {"queues": "0", "clients": [{"type": "Pods", "pods": pods}]},
    }
    return {**spec(priority), "rules": [{"name": "all", "match": {"all": True}, "action": action}]}


def rule(name: str, **match: Any) -> dict[str, Any]:
    """A rule that drops."""
    return {"name": name, "match": match, "action": {"type": "Drop"}}


def report(entry: dict[str, Any], state: str) -> dict[str, Any]:
    """What an agent reports about an entry of a node object that it acts on."""
    return {
        "name": entry["name"],
        "uid": entry["uid"],
        "observedGeneration": entry["generation"],
        "appliedGeneration": entry["generation"],
        "state": state,
        "reason": "Redirecting" if state == "Active" else state,
        "message": f"{state} on eth0",
        "interfaceCounts": {"native": 1, "generic": 0, "conflicted": 0, "failed": 0},
        "traffic": {"redirectedPackets": 10, "passedPackets": 2, "droppedPackets": 1},
    }
