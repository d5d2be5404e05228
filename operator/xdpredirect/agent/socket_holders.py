"""Whose the whole map of a rule for pods is, out of where devices are and who has asked. Pure.

A pod gets the map of a device while it has that device in its own network namespace, and only one
pod can. As it may keep the map for as long as it lives, the map's name has its UID
(`datapath.sockets`): the next pod gets another, and so does the rule when nobody has the device.
What runs is the memory of it: an agent that starts finds the UID in the name. Called by
`agent.machine` through `agent.desired`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from xdpredirect.agent.observed import ObservedInterface
from xdpredirect.agent.socket_pods import Pods
from xdpredirect.api.action import Sockets
from xdpredirect.api.node_pods import NodePods, granted
from xdpredirect.datapath.sockets import is_whole, pod_in
from xdpredirect.datapath.wanted import PlacedObject, PlacedRule, WantedInterface

_NO_PODS: Pods = {}


@dataclass(frozen=True)
class Holders:
    """`pods` are those of the node. `asked` has, by interface, the UID of a pod that has the device
    now and waits for its map."""

    pods: Pods = field(default_factory=lambda: _NO_PODS)
    asked: Mapping[str, str] = field(default_factory=dict)

    def place(self, wanted: WantedInterface, there: ObservedInterface | None) -> WantedInterface:
        """With the pod whose each map is. Nobody's, where no pod of the rule has the device."""
        if there is None or not wanted.link.away:
            return wanted
        pod = self.asked.get(wanted.link.name) or _named(there)
        objects = tuple(self._object(placed, pod) for placed in wanted.objects)
        return replace(wanted, objects=objects)

    def _object(self, placed: PlacedObject, pod: str) -> PlacedObject:
        told = self.pods.get(placed.name, NodePods())
        return replace(placed, rules=tuple(_rule(rule, pod, told) for rule in placed.rules))


def _rule(placed: PlacedRule, pod: str, told: NodePods) -> PlacedRule:
    action = placed.rule.action
    if not isinstance(action, Sockets) or not action.pods or not is_whole(placed):
        return placed
    return replace(placed, pod=pod if pod in granted(told, placed.rule.name) else "")


def _named(there: ObservedInterface) -> str:
    """The pod that has a map of the program that runs; empty without one."""
    running = [g for g in there.generations.values() if g.program and g.program == there.running]
    found = {pod_in(name) for generation in running for name in generation.maps}
    return next(iter(found - {""}), "")
