"""Why the kernel makes no socket for a queue, in the words of docs/protocol.md: pure.

Called by `leases` and `own`.
"""

import errno

from xdpredirect.errors import errno_name
from xdpredirect.xsk.grants import Refusal

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
