"""The slots of the XSKMAPs, behind `xsk.grants.Slots`: sockets put in and taken out by queue.

Used by the broker, in any process that may write the agent's bpffs. The map of a rule is looked up
anew each time: its pins move from generation to generation, the map itself stays.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from xdpredirect.agent.pins import Pins
from xdpredirect.datapath.abi import U32
from xdpredirect.datapath.slots import unpack_name
from xdpredirect.datapath.sockets import sockets_map
from xdpredirect.errors import KernelError
from xdpredirect.kernel.bpf import ENOENT
from xdpredirect.kernel.maps import Map, open_map, pinned_map
from xdpredirect.kernel.netns import link_there
from xdpredirect.kernel.programs import pinned_link
from xdpredirect.xsk.grants import Grant

_ATTEMPTS = 5
"""How often the pins may move on while one is opened; a swap takes longer than that."""


class SocketSlots:
    """The XSKMAPs below one bpffs directory. A socket that is closed leaves its map by itself."""

    def __init__(self, pins: Pins) -> None:
        self._pins = pins

    def insert(self, grant: Grant, queue: int, socket_fd: int) -> None:
        """Frames of the queue that the rule takes go to this socket from now on.

        Raises OSError: EEXIST when the slot is taken, ENOENT when there is no such rule, and what
        the kernel says of a descriptor that is no AF_XDP socket (EBADF, EOPNOTSUPP).
        """
        with _as_os_error(), self._map(grant) as slots:
            slots.put(U32.pack(queue), U32.pack(socket_fd), new=True)

    def remove(self, grant: Grant, queue: int) -> None:
        """Empty the slot. Nothing happens when it is empty, or the rule gone. Raises OSError."""
        try:
            with _as_os_error(), self._map(grant) as slots:
                slots.delete(U32.pack(queue))
        except FileNotFoundError:
            return

    def whole(self, grant: Grant) -> int:
        """A descriptor of the map itself, to be closed by the caller, for a client that may have
        it. Raises OSError."""
        with _as_os_error(), self._opened(grant, grant.whole_map) as opened:
            return os.dup(opened.fd)

    def device_of(self, grant: Grant, pid: int) -> str:
        """What the interface of the grant is called where the process is; empty when it is not
        there. Nothing else can look like it, since none but the agent has its program. Raises
        OSError."""
        with _as_os_error():
            for _ in range(_ATTEMPTS):
                attached = pinned_link(self._pins.link(grant.interface))
                if attached is None or not attached.ifindex:
                    return ""
                there = link_there(pid, attached.ifindex)
                if there is None:
                    return ""
                if there.xdp_prog_id == attached.prog_id:
                    return there.name
                # Another device of that number, or the program was exchanged in between.
        return ""

    @contextmanager
    def _map(self, grant: Grant) -> Iterator[Map]:
        with self._opened(grant, sockets_map(self._slot(grant))) as opened:
            yield opened

    @contextmanager
    def _opened(self, grant: Grant, name: str) -> Iterator[Map]:
        for attempt in range(_ATTEMPTS):
            try:
                opened = self._open(grant.interface, name)
            except KernelError as error:
                if error.errno != ENOENT or attempt == _ATTEMPTS - 1:
                    raise
            else:
                break
        with opened:
            yield opened

    def _slot(self, grant: Grant) -> int:
        """The counter slot of the rule, after which its map is named."""
        with pinned_map(self._pins.names(grant.interface)) as names:
            for key, value in names.items().items():
                if unpack_name(value) == (grant.redirect, grant.rule):
                    (slot,) = U32.unpack(key)
                    return int(slot)
        raise KernelError(f"look up {grant.redirect}/{grant.rule} on {grant.interface}", ENOENT)

    def _open(self, interface: str, name: str) -> Map:
        """During a swap two generations have it, and it is the same map."""
        for path in self._pins.interface(interface).glob(f"*/map-{name}"):
            return open_map(path)
        raise KernelError(f"open {name} of {interface}", ENOENT)


@contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except KernelError as error:
        raise OSError(error.errno, str(error)) from error
