"""Sockets: an XSKMAP for each rule, keyed by receive queue. Called by `datapath.actions`.

The layout says only that there is a map. What is in it is the broker's (`xsk`), through
`agent.sockets`; the program asks for the queue first, so a socket that is still in the map when
its queue is taken away gets nothing more.
"""

from xdpredirect.api.action import Sockets
from xdpredirect.datapath.builder import MAP_NUMBER_BASE, SOCKETS_NUMBER, Builder
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.datapath.pieces import MapWanted

QUEUES = 1024
"""Slots of an XSKMAP, more than any queue that a rule can name, so that it never has to grow: a
larger map would be another one, without the sockets."""


def sockets_map(slot: int) -> str:
    """Name of the XSKMAP of the rule that counts in `slot`: it lasts as long as the rule, so a new
    generation finds the map of the last one."""
    return f"sockets{slot}"


def sockets(builder: Builder, action: Sockets, slot: int, miss: str) -> tuple[list[str], list[str]]:
    """Lines of a Sockets action, and its queues in words."""
    builder.make_room(builder.sockets, "Sockets rules", "put their matches into fewer rules")
    spec = MapSpec(sockets_map(slot), MapType.XSKMAP, 4, 4, QUEUES)
    number, name = SOCKETS_NUMBER + builder.sockets, f"MAP_SOCKETS{builder.sockets}"
    builder.sockets += 1
    builder.place(spec.name)
    builder.extra.append(MapWanted(number=number, spec=spec, entries={}, kept=True))
    builder.define(name, f"{MAP_NUMBER_BASE + number:#x}")
    queues = " ".join(f"RX_QUEUE({first}, {last})" for first, last in action.queues)
    words = [f"queue {f}" if f == last else f"queues {f}-{last}" for f, last in action.queues]
    return [f"SOCKETS({slot}, {name}, {queues}, {miss})"], words
