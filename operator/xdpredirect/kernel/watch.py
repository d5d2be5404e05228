"""Wakes the agent when a link, an address, an XDP feature or an ethtool setting changes.

Used by the agent's loop: poll `filenos()`, then `drain()`, then observe again. Events only say
that something changed; the observation that follows says what. The kernel reports programs that
are attached by netlink, but none that is attached by a bpf_link: those show at the next pass.
"""

import errno
from types import TracebackType
from typing import Self

from xdpredirect.errors import KernelError
from xdpredirect.kernel.features import find_family
from xdpredirect.kernel.netlink import NETLINK_GENERIC, NETLINK_ROUTE, Netlink

_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_RTNLGRP_LINK, _RTNLGRP_IPV4_IFADDR, _RTNLGRP_IPV6_IFADDR = 1, 5, 9
# Family and its multicast group: XDP features; offloads and channels.
_GENERIC_GROUPS = (("netdev", "mgmt"), ("ethtool", "monitor"))


class LinkWatch:
    """Two non-blocking netlink sockets in the namespace of the thread that creates it.

    Use it in a `with` statement. Raises KernelError when they cannot be opened.
    """

    def __init__(self) -> None:
        self._sockets: list[Netlink] = []
        try:
            route = self._open(NETLINK_ROUTE)
            for group in (_RTNLGRP_LINK, _RTNLGRP_IPV4_IFADDR, _RTNLGRP_IPV6_IFADDR):
                _join(route, group)
            generic = self._open(NETLINK_GENERIC)
            for family_name, group_name in _GENERIC_GROUPS:
                family = find_family(generic, family_name)
                if family is not None and group_name in family.groups:
                    _join(generic, family.groups[group_name])
        except BaseException:
            self.close()
            raise
        for netlink in self._sockets:
            netlink.socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Releases both sockets; may be called twice."""
        for netlink in self._sockets:
            netlink.close()

    def filenos(self) -> tuple[int, ...]:
        """Descriptors that become readable at a change."""
        return tuple(netlink.socket.fileno() for netlink in self._sockets)

    def drain(self) -> bool:
        """Takes every waiting event; whether there was one. Never blocks. Raises KernelError."""
        # Not any(): each socket has to be emptied, or poll wakes again at once.
        return sum([_empty(netlink) for netlink in self._sockets]) > 0

    def _open(self, protocol: int) -> Netlink:
        netlink = Netlink(protocol)
        self._sockets.append(netlink)
        return netlink


def _join(netlink: Netlink, group: int) -> None:
    try:
        netlink.socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    except OSError as error:
        raise KernelError("watch links", error.errno or errno.EIO) from error


def _empty(netlink: Netlink) -> bool:
    changed = False
    while True:
        try:
            # The rest of a longer datagram is dropped: its content is of no interest.
            netlink.socket.recv(16)
        except BlockingIOError:
            return changed
        except OSError as error:
            # The kernel had more events than the socket could hold: certainly a change.
            if error.errno != errno.ENOBUFS:
                raise KernelError("read link events", error.errno or errno.EIO) from error
        changed = True
