"""Why the kernel makes no socket for a queue, in the words of docs/protocol.md: pure.

Called by `leases`.
"""

import errno

from xdpredirect.errors import errno_name
from xdpredirect.xsk.grants import Refusal

_WHY = {
    errno.EINVAL: ("NoSuchQueue", "the device has no such queue"),
    errno.ENODEV: ("NoSuchDevice", "the device is gone"),
    errno.ENETDOWN: ("DeviceDown", "the device is down"),
    errno.EOPNOTSUPP: ("NoZeroCopy", "the driver has no zero-copy, which the object asks for"),
    errno.ENOBUFS: ("MemoryLimit", "the agent's RLIMIT_MEMLOCK does not allow as much memory"),
    errno.EPERM: ("NoCapability", "the agent lacks CAP_NET_RAW, which AF_XDP needs"),
    errno.EACCES: ("NoCapability", "the agent lacks CAP_NET_RAW, which AF_XDP needs"),
}


def refusal_of(error: OSError) -> Refusal:
    """What the client is told of a failed step of making and binding its socket."""
    reason, sentence = _WHY.get(error.errno or 0, ("Failed", "the kernel refused"))
    return Refusal(reason, f"{sentence} ({errno_name(error.errno or 0)})")
