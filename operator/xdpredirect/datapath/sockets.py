"""Sockets: an XSKMAP for each rule, keyed by receive queue. Called by `datapath.actions`.

The layout says only that there is a map. What is in it is the broker's (`xsk`), through
`agent.sockets`; the program asks for the queue first, so a socket that is still in the map when
its queue is taken away gets nothing more.
"""

from xdpredirect.api.action import Sockets
from xdpredirect.api.clients import SocketProtocol
from xdpredirect.datapath.builder import MAP_NUMBER_BASE, SOCKETS_NUMBER, Builder
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.datapath.pieces import MapWanted
from xdpredirect.datapath.wanted import PlacedRule

QUEUES = 1024
"""Slots of an XSKMAP, more than any queue that a rule can name, so that it never has to grow: a
larger map would be another one, without the sockets."""
_OF_POD = "_pod_"


def sockets_map(slot: int) -> str:
    """Name of the XSKMAP of the rule that counts in `slot`: it lasts as long as the rule, so a new
    generation finds the map of the last one."""
    return f"sockets{slot}"


def is_whole(placed: PlacedRule) -> bool:
    """Whether its client gets the whole map."""
    action = placed.rule.action
    return isinstance(action, Sockets) and action.protocol is SocketProtocol.DEVICE_PLUGIN


def map_of(placed: PlacedRule, slot: int) -> str:
    """Name of the XSKMAP of a rule of any protocol.

    A client of protocol DevicePlugin holds the map itself, and nobody can take it back. So it lasts
    only as long as the rule is for this user, or this pod has the device: for another there is
    another, and what the last one writes into its own leads nowhere.
    """
    action = placed.rule.action
    if not isinstance(action, Sockets) or not is_whole(placed):
        return sockets_map(slot)
    if action.pods:
        # The kernel has no dash in the name of a map (bpf_obj_name_cpy).
        return f"plugin{slot}{_OF_POD}{placed.pod.replace('-', '_')}"
    return "_".join([f"plugin{slot}", *map(str, sorted(placed.users))])


def pod_in(name: str) -> str:
    """UID of the pod whose map has this name; empty when it is nobody's, or no pod's."""
    kind, _, pod = name.partition(_OF_POD)
    return pod.replace("_", "-") if kind.startswith("plugin") else ""


def sockets(
    builder: Builder, placed: PlacedRule, action: Sockets, slot: int, miss: str
) -> tuple[list[str], list[str]]:
    """Lines of a Sockets action, and its queues in words."""
    builder.make_room(builder.sockets, "Sockets rules", "put their matches into fewer rules")
    spec = MapSpec(map_of(placed, slot), MapType.XSKMAP, 4, 4, QUEUES)
    number, name = SOCKETS_NUMBER + builder.sockets, f"MAP_SOCKETS{builder.sockets}"
    builder.sockets += 1
    builder.place(spec.name)
    builder.extra.append(MapWanted(number=number, spec=spec, entries={}, kept=True))
    builder.define(name, f"{MAP_NUMBER_BASE + number:#x}")
    queues = " ".join(f"RX_QUEUE({first}, {last})" for first, last in action.queues)
    words = [f"queue {f}" if f == last else f"queues {f}-{last}" for f, last in action.queues]
    return [f"SOCKETS({slot}, {name}, {queues}, {miss})"], words
