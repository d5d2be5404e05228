"""Queues as devices: what a pod can claim, and how the scheduler sees it. Pure.

Published by `slices`, looked up by `claims`.
"""

import re
from dataclasses import dataclass

Document = dict[str, object]
DRIVER = "xdpredirect.io"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_HEXADECIMAL = "x-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A receive queue that a rule of `redirect` hands to pods. `driver` is that of the interface,
    `numa_node` -1 where there is none; `zero_copy` says that the driver can."""

    interface: str
    queue: int
    redirect: str
    driver: str = ""
    numa_node: int = -1
    zero_copy: bool = False

    @property
    def name(self) -> str:
        """Of the device in its pool: a DNS label, another one for each queue, and the same after a
        reboot."""
        return f"{_label(self.interface)}-{self.queue}"


def encoded(device: Device) -> Document:
    """As it stands in a ResourceSlice. Names without a domain are in that of the driver."""
    attributes: dict[str, Document] = {
        "interface": {"string": device.interface},
        "queue": {"int": device.queue},
        "redirect": {"string": device.redirect},
        "zeroCopy": {"bool": device.zero_copy},
    }
    if device.driver:
        attributes["driver"] = {"string": device.driver}
    if device.numa_node >= 0:
        attributes["resource.kubernetes.io/numaNode"] = {"int": device.numa_node}
    return {"name": device.name, "attributes": attributes}


def _label(interface: str) -> str:
    """The name itself where it may be part of a DNS label, else its octets. A name that looks like
    somebody's octets is written as its own, so that no two interfaces become one."""
    if _LABEL.fullmatch(interface) and not interface.startswith(_HEXADECIMAL):
        return interface
    return _HEXADECIMAL + interface.encode(errors="surrogateescape").hex()
