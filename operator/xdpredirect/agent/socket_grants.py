"""Who may take which sockets, out of what is wanted and what runs. Pure.

Called by `agent.machine` and `agent.socket_devices`.
"""

from collections.abc import Iterator

from xdpredirect.agent.desired import Desired, DesiredInterface
from xdpredirect.agent.observed import Observed, ObservedInterface
from xdpredirect.agent.socket_pods import Pods
from xdpredirect.agent.socket_whole import queues_of, refused_maps
from xdpredirect.api.action import SocketAccess, Sockets
from xdpredirect.api.clients import SocketProtocol
from xdpredirect.api.node_pods import NodePods, granted
from xdpredirect.api.node_pods import refused as in_host_network
from xdpredirect.datapath.sockets import map_of
from xdpredirect.datapath.wanted import PlacedObject, PlacedRule
from xdpredirect.xsk.grants import CopyMode, Grant


def grants_of(desired: Desired, seen: Observed, pods: Pods | None) -> tuple[Grant, ...]:
    """One grant for each rule of each interface whose running program has a map for it. That may be
    an earlier program, where the wanted one could not be put in its place: whoever is still
    wanted there keeps the sockets, and nobody else does. `pods` are those of the node."""
    found = handing_rules(desired, seen)
    return tuple(grant for rule in found for grant in _grants(*rule, pods or {}))


def handing_rules(
    desired: Desired, seen: Observed
) -> Iterator[tuple[DesiredInterface, PlacedObject, PlacedRule]]:
    """The rules that hand out sockets now, with their interface and object."""
    for name, item in sorted(desired.interfaces.items()):
        there = seen.interfaces.get(name)
        link = item.wanted.link
        if there is None or (there.attached_to, there.away) != (link.ifindex, link.away):
            continue
        maps, refused = _maps(there), refused_maps(item)
        for placed in item.wanted.objects:
            for rule in placed.rules:
                its_id = placed.name, rule.rule.name
                running = map_of(rule, item.layout.slots[its_id]) in maps
                if isinstance(rule.rule.action, Sockets) and running and its_id not in refused:
                    yield item, placed, rule


def _maps(there: ObservedInterface) -> frozenset[str]:
    """Names of the maps of the running program."""
    running = [g for g in there.generations.values() if g.program and g.program == there.running]
    return frozenset(name for generation in running for name in generation.maps)


def _grants(
    item: DesiredInterface, placed: PlacedObject, rule: PlacedRule, pods: Pods
) -> Iterator[Grant]:
    action, name, told = rule.rule.action, rule.rule.name, pods.get(placed.name, NodePods())
    if isinstance(action, Sockets):
        whole = action.protocol is SocketProtocol.DEVICE_PLUGIN
        yield Grant(
            redirect=placed.name,
            rule=name,
            interface=item.wanted.link.name,
            ifindex=item.wanted.link.ifindex,
            away=item.wanted.link.away,
            queues=queues_of(action),
            users=rule.users,
            transmit=action.access is SocketAccess.RECEIVE_TRANSMIT,
            copy_mode=CopyMode(action.copy_mode.value),
            # The rule that runs decides, and it may be an earlier one without such clients.
            pods=granted(told, name) if action.pods else frozenset(),
            host_pods=in_host_network(told, name) if action.pods else frozenset(),
            holder=rule.pod,
            whole_map=map_of(rule, item.layout.slots[placed.name, name]) if whole else "",
        )
