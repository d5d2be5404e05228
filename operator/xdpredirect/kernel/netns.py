"""Links of other network namespaces, asked for through a process that is in one.

Called by `agent.sockets`. rtnetlink takes the number of a process for its namespace, and looks
there for whoever has CAP_NET_ADMIN in it, as the agent has: it need not enter, which takes
CAP_SYS_ADMIN, and not open /proc/PID/ns/net, which takes CAP_SYS_PTRACE for most processes.
"""

import errno
import struct

from xdpredirect.errors import KernelError
from xdpredirect.host import Link
from xdpredirect.kernel.links import IFINFO, RTM_GETLINK, parse_link
from xdpredirect.kernel.netlink import NETLINK_ROUTE, Netlink, attribute, attributes

_RTM_NEWNSID, _RTM_GETNSID = 88, 90
_RTGENMSG = bytes(4)  # family, padded
_NETNSA_NSID, _NETNSA_PID = 1, 2
_IFLA_TARGET_NETNSID = 46
_NOT_ASSIGNED = -1
_S32, _U32 = struct.Struct("=i"), struct.Struct("=I")


def link_there(pid: int, ifindex: int) -> Link | None:
    """The link of that number where the process is, without addresses; None when it has none.

    None as well when there is no such process. Its namespace has a number here afterwards, for as
    long as it exists (net/core/net_namespace.c, rtnl_net_newid). Raises KernelError.
    """
    with Netlink(NETLINK_ROUTE) as netlink:
        try:
            number = _number(netlink, pid)
            where = attribute(_IFLA_TARGET_NETNSID, _S32.pack(number))
            wanted = IFINFO.pack(0, 0, ifindex, 0, 0) + where
            (message,) = netlink.request(f"look up link {ifindex}", RTM_GETLINK, wanted)
        except KernelError as error:
            if error.errno in (errno.ESRCH, errno.ENODEV):
                return None
            raise
    return parse_link(message.body)


def _number(netlink: Netlink, pid: int) -> int:
    """Of the namespace of a process, as this namespace numbers it."""
    of_process = _RTGENMSG + attribute(_NETNSA_PID, _U32.pack(pid))
    if (known := _ask(netlink, of_process)) != _NOT_ASSIGNED:
        return known
    any_number = attribute(_NETNSA_NSID, _S32.pack(_NOT_ASSIGNED))
    try:
        netlink.request("number a network namespace", _RTM_NEWNSID, of_process + any_number)
    except KernelError as error:
        if error.errno != errno.EEXIST:  # Somebody else has just done it.
            raise
    return _ask(netlink, of_process)


def _ask(netlink: Netlink, of_process: bytes) -> int:
    operation = "ask for the number of a network namespace"
    (answer,) = netlink.request(operation, _RTM_GETNSID, of_process)
    value = attributes(answer.body, len(_RTGENMSG))[_NETNSA_NSID]
    return int(_S32.unpack(value)[0])
