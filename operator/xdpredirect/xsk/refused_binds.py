"""Why the kernel makes no socket for a queue, in the words of docs/protocol.md: pure.

Called by `leases` and `own`.
"""

import errno

from xdpredirect.errors import errno_name
from xdpredirect.xsk.grants import Refusal

RESERVED_OCTETS = 160 << 20
"""Of the agent's memory limit no socket is to have: a compilation takes 116 MiB at most
(docs/performance.md), and the kernel ends whoever reaches the limit."""
_KIB = 1024
_WHY = {
    errno.EINVAL: ("NoSuchQueue", "the device has no such queue"),
    errno.ENODEV: ("NoSuchDevice", "the device is gone"),
    errno.ENETDOWN: ("DeviceDown", "the device is down"),
    errno.EOPNOTSUPP: ("NoZeroCopy", "the driver has no zero-copy, which the object asks for"),
    errno.ENOBUFS: ("MemoryLimit", "the RLIMIT_MEMLOCK of {who} does not allow as much memory"),
    errno.EPERM: ("NoCapability", "{who} lacks CAP_NET_RAW, which AF_XDP needs"),
    errno.EACCES: ("NoCapability", "{who} lacks CAP_NET_RAW, which AF_XDP needs"),
}


def refusal_of(error: OSError, who: str = "the agent") -> Refusal:
    """What the client is told of a failed step of making and binding its socket, by `who`."""
    reason, sentence = _WHY.get(error.errno or 0, ("Failed", "the kernel refused"))
    return Refusal(reason, f"{sentence.format(who=who)} ({errno_name(error.errno or 0)})")


def no_room(octets: int, left: int | None) -> Refusal | None:
    """What the client is told when it asks for so much memory where so much is left to the agent;
    None for `left`: it has no limit."""
    if left is None or octets <= left - RESERVED_OCTETS:
        return None
    room = max(0, left - RESERVED_OCTETS) // _KIB
    words = f"the agent's memory limit leaves {room} KiB for sockets, not {octets // _KIB} KiB"
    return Refusal("MemoryLimit", words)
