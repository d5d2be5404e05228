"""A socket that a program makes itself, of a device that was moved into its network namespace.

    with bring(Path("/run/xdpredirect/sockets"), "eth1", Own("net1")) as socket:
        for frame in socket.frames():
            ...

Needs CAP_NET_RAW in that namespace. The broker puts the socket into the map, which no client has.
"""

import errno
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from xdpredirect.errors import SocketRefused
from xdpredirect.xsk import sockets
from xdpredirect.xsk.client import XskSocket, check_processor
from xdpredirect.xsk.grants import CopyMode
from xdpredirect.xsk.messages import Bound, Bring
from xdpredirect.xsk.refused_binds import refusal_of
from xdpredirect.xsk.session import Session, own_name
from xdpredirect.xsk.sockets import Made, Place, Wanted
from xdpredirect.xsk.umem import Size

_BUSY_SECONDS, _AGAIN_SECONDS = 1.0, 0.01
"""A queue is free 25 to 40 ms after its owner has ended."""
_UNSEEN_SECONDS, _LOOK_SECONDS = 10.0, 1.0
"""How long the agent may take to see that the device has moved, and how often it is asked: of one
connection it takes no more than 16 questions that it has to refuse."""


@dataclass(frozen=True)
class Own:
    """The socket that is made: of a queue of `device`, with `frames` of `octets` in its memory.

    `transmit` has to be granted by the object, and `copy_mode` to be the object's unless that is
    Auto.
    """

    device: str
    queue: int = 0
    frames: int = 2048
    octets: int = 2048
    transmit: bool = False
    copy_mode: CopyMode = CopyMode.AUTO


def bring(directory: Path, interface: str, own: Own) -> XskSocket:
    """Make the socket and hand a duplicate to the broker; the device was called `interface` where
    the agent is. Raises SocketRefused, and OSError where there is no broker or no such device."""
    check_processor()
    place = Place(socket.if_nametoindex(own.device), own.queue)
    session = Session(directory, own_name())
    try:
        made = _make(place, own)
    except BaseException:
        session.close()
        raise
    try:
        _hand_over(session, Bring(interface, own.queue), made)
        zero_copy = sockets.is_zero_copy(made.socket)
    except BaseException:
        session.close()
        made.socket.close()
        os.close(made.memfd)
        raise
    bound = Bound(interface, *place, own.frames, own.octets, zero_copy, own.transmit)
    return XskSocket(directory, session, bound, [made.socket.detach(), made.memfd])


def _make(place: Place, own: Own) -> Made:
    size = Size(own.frames, own.octets)
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return sockets.open_bound(place, size, Wanted(own.copy_mode, own.transmit))
        except sockets.RingsUnmappable as error:
            words = "it cannot map the rings of a bound socket"
            raise SocketRefused("KernelTooOld", words) from error
        except OSError as error:
            if error.errno == errno.EBUSY and time.monotonic() < until:
                time.sleep(_AGAIN_SECONDS)
                continue
            if error.errno == errno.EBUSY:
                words = f"another socket has queue {place.queue} of the device"
                raise SocketRefused("QueueBusy", words) from error
            refusal = refusal_of(error, "this process")
            raise SocketRefused(refusal.reason, refusal.sentence) from error


def _hand_over(session: Session, request: Bring, made: Made) -> None:
    until = time.monotonic() + _UNSEEN_SECONDS
    while True:
        try:
            session.ask(request, made.socket.fileno())
        except SocketRefused as error:
            if error.reason != "InterfaceHere" or time.monotonic() >= until:
                raise
            time.sleep(_LOOK_SECONDS)
        else:
            return
