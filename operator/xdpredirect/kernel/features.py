"""XDP features of devices, from the `netdev` family of generic netlink; also finds families.

Called by `kernel.host` and `kernel.watch`. Needs no capability.
"""

import errno
import struct
from typing import NamedTuple

from xdpredirect.errors import KernelError
from xdpredirect.host import XdpFeatures
from xdpredirect.kernel.netlink import (
    NETLINK_GENERIC,
    Netlink,
    attribute,
    attribute_list,
    attributes,
    text,
)

_GENL = struct.Struct("=BBxx")  # command, version, reserved
_CONTROLLER, _GETFAMILY = 16, 3
_FAMILY_ID, _FAMILY_NAME, _FAMILY_GROUPS = 1, 2, 7
_GROUP_NAME, _GROUP_ID = 1, 2
_DEV_GET = 1
_DEV_IFINDEX, _DEV_XDP_FEATURES = 1, 3


class Family(NamedTuple):
    """A generic netlink family: its message type, and its multicast groups by name."""

    id: int
    groups: dict[str, int]


def find_family(netlink: Netlink, name: str) -> Family | None:
    """The family called `name`, None when this kernel has none. Raises KernelError."""
    body = _GENL.pack(_GETFAMILY, 1) + attribute(_FAMILY_NAME, name.encode() + b"\0")
    try:
        (reply,) = netlink.request(f"look up netlink family {name}", _CONTROLLER, body)
    except KernelError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    values = attributes(reply.body, _GENL.size)
    groups: dict[str, int] = {}
    for _, item in attribute_list(values.get(_FAMILY_GROUPS, memoryview(b""))):
        group = attributes(item)
        groups[text(group[_GROUP_NAME])] = struct.unpack("=I", group[_GROUP_ID])[0]
    return Family(struct.unpack("=H", values[_FAMILY_ID])[0], groups)


def dump_features() -> dict[int, XdpFeatures]:
    """XDP features by ifindex; empty where the kernel cannot tell (before 6.3)."""
    with Netlink(NETLINK_GENERIC) as netlink:
        family = find_family(netlink, "netdev")
        if family is None:
            return {}
        replies = netlink.dump("list XDP features", family.id, _GENL.pack(_DEV_GET, 1))
    features = {}
    for reply in replies:
        values = attributes(reply.body, _GENL.size)
        bits = struct.unpack("=Q", values[_DEV_XDP_FEATURES])[0]
        # Bits of newer kernels are kept: IntFlag holds values that have no name.
        features[struct.unpack("=I", values[_DEV_IFINDEX])[0]] = XdpFeatures(bits)
    return features
