"""Whether a socket that a client has made itself is one that the broker may put into a slot.

The device was moved into the client's network namespace, and only there can a socket be bound to
it. What is looked at is the socket; to which device and queue it was bound the kernel tells nobody.
One that was bound elsewhere gets nothing (net/xdp/xsk.c, xsk_rcv_check). Called by `leases`.
"""

from xdpredirect.xsk import sockets
from xdpredirect.xsk.grants import CopyMode, Grant, Peer, Refusal
from xdpredirect.xsk.lease import Lease

NOT_HERE = Refusal(
    "InterfaceAway",
    "the interface is in another network namespace, where processes make their own socket",
)
_HERE = Refusal("InterfaceHere", "the interface is where the agent is, which makes the socket")
_NO_COOKIES = Refusal("KernelTooOld", "it does not tell network namespaces apart")
_OF_THE_HOST = Refusal(
    "WrongNamespace", "the client is in the agent's network namespace, and the interface is not"
)


def problem_of(fd: int, peer: Peer, grants: tuple[Grant, ...]) -> Refusal | None:
    """Why the peer's descriptor is not taken for the interface of these grants."""
    if not grants[0].away:
        return _HERE
    if not peer.netns:
        return _NO_COOKIES
    if peer.netns == sockets.own_netns():
        return _OF_THE_HOST
    return sockets.problem_of(fd, peer.netns)


def mismatch(lease: Lease) -> Refusal | None:
    """What the objects do not allow about a socket that is to be held."""
    modes = {grant.copy_mode for grant in lease.grants}
    if CopyMode.ZERO_COPY in modes and not lease.zero_copy:
        return Refusal("WrongCopyMode", "the object asks for zero-copy, and the socket copies")
    if CopyMode.COPY in modes and lease.zero_copy:
        return Refusal("WrongCopyMode", "the object asks for copies, and the socket is zero-copy")
    transmits = sockets.can_transmit(lease.socket.fileno())
    if transmits and not any(grant.transmit for grant in lease.grants):
        return Refusal("NotGranted", "the socket can transmit, which is not granted")
    return None
