"""Attachment through IFLA_XDP, for kernels before 5.9 and on request; links are in `programs`.

REPLACE with the expected descriptor is a compare-and-swap: a foreign program is never replaced.
Source: include/uapi/linux/if_link.h, net/core/dev.c dev_xdp_attach.
"""

import struct

from xdpredirect.kernel.netlink import NETLINK_ROUTE, Netlink, attribute
from xdpredirect.kernel.programs import XDP_FLAGS_DRV, XDP_FLAGS_SKB

_RTM_SETLINK = 19
_IFINFO = struct.Struct("=BxHiII")
_IFLA_XDP, _NESTED = 43, 0x8000
_XDP_FD, _XDP_FLAGS, _XDP_EXPECTED_FD = 1, 3, 8
_REPLACE = 16


def set_xdp(ifindex: int, prog_fd: int, expected_fd: int, generic: bool) -> None:
    """Put `prog_fd` (-1: nothing) where `expected_fd` (-1: nothing) is now. Raises KernelError.

    The mode must be the one of the attachment: with another one the kernel says yes and detaches
    nothing.
    """
    flags = _REPLACE | (XDP_FLAGS_SKB if generic else XDP_FLAGS_DRV)
    nested = (
        attribute(_XDP_FD, struct.pack("=i", prog_fd))
        + attribute(_XDP_FLAGS, struct.pack("=I", flags))
        + attribute(_XDP_EXPECTED_FD, struct.pack("=i", expected_fd))
    )
    body = _IFINFO.pack(0, 0, ifindex, 0, 0) + attribute(_IFLA_XDP | _NESTED, nested)
    with Netlink(NETLINK_ROUTE) as netlink:
        netlink.request(f"set the XDP program of ifindex {ifindex}", _RTM_SETLINK, body)
