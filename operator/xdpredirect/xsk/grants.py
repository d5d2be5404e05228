"""Who may take a socket of which queue: pure. Grants are computed by the agent from its objects.

The default is to deny. What a client says of itself is no argument; a `Peer` is what the kernel
says of it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class CopyMode(StrEnum):
    """How frames come into the UMEM: Auto takes zero-copy where the driver can, and copies else."""

    AUTO = "Auto"
    COPY = "Copy"
    ZERO_COPY = "ZeroCopy"


@dataclass(frozen=True)
class Grant:
    """`queues` of `interface` are for `users` (numbers) and `pods` (UIDs), of the rule that names
    them.

    `redirect` and `rule` are the names of object and rule. With `transmit` a socket may also send.
    `host_pods` are named as well, and refused, because they live in the network of the host.
    With `whole_map` the client gets the XSKMAP of this name itself, by the protocol of the device
    plugin, and no socket; a pod does only when it is the `holder`. With `away` the device is in
    another network namespace, where `ifindex` is its number: processes there bring sockets of their
    own.
    """

    redirect: str
    rule: str
    interface: str
    ifindex: int
    queues: frozenset[int]
    users: frozenset[int]
    transmit: bool
    copy_mode: CopyMode
    pods: frozenset[str] = frozenset()
    host_pods: frozenset[str] = frozenset()
    whole_map: str = ""
    holder: str = ""
    away: bool = False


@dataclass(frozen=True)
class Peer:
    """What the kernel says of the other end of a connection.

    `pod` is the UID of the pod that its cgroup belongs to, empty for a process of the host. `netns`
    is the kernel's number (SO_NETNS_COOKIE) of the network namespace that it connected from, 0
    where the kernel tells none.
    """

    pid: int
    uid: int
    pod: str = ""
    netns: int = 0


@dataclass(frozen=True)
class Refusal:
    """`reason` is one CamelCase word for programs, `sentence` is for people."""

    reason: str
    sentence: str


class Slots(Protocol):
    """The XSKMAPs, which the agent alone holds. The socket is inserted before its client has it."""

    def insert(self, grant: Grant, queue: int, socket_fd: int) -> None:
        """Frames of the queue go to this socket from now on. Raises OSError, EEXIST when the slot
        is taken."""
        ...

    def remove(self, grant: Grant, queue: int) -> None:
        """Empty the slot; nothing happens when it is empty."""
        ...


class WholeMaps(Protocol):
    """The XSKMAPs of rules whose client gets the map itself."""

    def whole(self, grant: Grant) -> int:
        """A descriptor of it, to be closed by the caller. Raises OSError."""
        ...

    def device_of(self, grant: Grant, pid: int) -> str:
        """What the interface of the grant is called in the network namespace of a process; empty
        when it is not there. Raises OSError."""
        ...


def authorise(peer: Peer, grants: Collection[Grant], interface: str, queue: int) -> Grant | Refusal:
    """The first grant by which the peer may have this queue, or why it may not."""
    if found := granted(peer, grants, interface, queue):
        return found[0]
    who = f"pod {peer.pod}" if peer.pod else f"user {peer.uid}"
    others = {q for g in grants if g.interface == interface and is_for(g, peer) for q in g.queues}
    if not others:
        if peer.pod and any(peer.pod in g.host_pods for g in grants if g.interface == interface):
            return Refusal("HostNetwork", f"{who} lives in the network of the host")
        return Refusal("NotGranted", f"{who} has no grant for {interface}")
    queues = ", ".join(str(other) for other in sorted(others))
    sentence = f"{who} has no grant for queue {queue} of {interface}, but for {queues}"
    return Refusal("NotGranted", sentence)


def granted(peer: Peer, grants: Collection[Grant], interface: str, queue: int) -> tuple[Grant, ...]:
    """Every grant by which it may: of several rules of an interface, for example."""
    return tuple(
        grant
        for grant in grants
        if grant.interface == interface and queue in grant.queues and is_for(grant, peer)
    )


def is_for(grant: Grant, peer: Peer) -> bool:
    """Whether the grant names the peer, by user or by pod."""
    # A user of a pod is no user of the host, though the numbers may be the same.
    if peer.pod:
        return peer.pod in grant.pods and peer.pod not in grant.host_pods
    return peer.uid in grant.users
