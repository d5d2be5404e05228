"""Which queues of this node pods may claim, out of what is wanted and what runs. Pure.

Called by `agent.machine`.
"""

from xdpredirect.agent.desired import Desired
from xdpredirect.agent.observed import Observed
from xdpredirect.agent.socket_grants import handing_rules
from xdpredirect.api.action import Sockets
from xdpredirect.datapath.sockets import is_whole
from xdpredirect.dra.devices import Device
from xdpredirect.host import Link, XdpFeatures


def devices_of(desired: Desired, seen: Observed) -> tuple[Device, ...]:
    """The queues that interfaces have and rules hand to pods, each once: where several objects hand
    it out, it is that of the first. Not those of a device that is a pod's already, nor those that
    come with the device."""
    found: dict[tuple[str, int], Device] = {}
    for item, placed, rule in handing_rules(desired, seen):
        action, link = rule.rule.action, item.wanted.link
        if not isinstance(action, Sockets) or not action.pods or link.away or is_whole(rule):
            continue
        for first, last in action.queues:
            for queue in range(first, min(last + 1, link.rx_channels)):
                found.setdefault((link.name, queue), _device(link, queue, placed.name))
    return tuple(found.values())


def _device(link: Link, queue: int, redirect: str) -> Device:
    return Device(
        interface=link.name,
        queue=queue,
        redirect=redirect,
        driver=link.driver,
        numa_node=link.numa_node,
        zero_copy=bool(link.features and link.features & XdpFeatures.XSK_ZEROCOPY),
    )
