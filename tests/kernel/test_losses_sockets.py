"""Frames that an AF_XDP socket could not take: xdp_redirect_err, one errno for each cause."""

import errno
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.kernel.bytecode import redirect_map
from tests.kernel.conformance import SOCKETS
from tests.kernel.explained import explained
from tests.kernel.lab import Lab
from tests.kernel.scene import Scene, id_of
from tests.kernel.xsk import XdpSocket
from xdpredirect.datapath.abi import U32
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.kernel.maps import create_map
from xdpredirect.kernel.tracer import LossKey

N = 1000
REDIRECT_ERR = 1
RING = 64
KEY = 2


def not_bound(s: Scene) -> XdpSocket:
    return XdpSocket(s.ingress)


def other_queue(s: Scene) -> XdpSocket:
    made = XdpSocket(s.ingress)
    # The only queue that the wire's other end fills is queue 0.
    s.source.host.ethtool("-L", s.source.name, "tx", "1")
    made.bind(queue=1)
    return made


def other_device(s: Scene) -> XdpSocket:
    made = XdpSocket(s.wire("p2", "b"))
    made.bind()
    return made


def ring_full(s: Scene) -> XdpSocket:
    made = XdpSocket(s.ingress, ring=RING)
    made.bind()
    return made


def nothing_filled(s: Scene) -> XdpSocket:
    made = XdpSocket(s.ingress, filled=0)
    made.bind()
    return made


def bound(s: Scene) -> XdpSocket:
    made = XdpSocket(s.ingress)
    made.bind()
    return made


@dataclass(frozen=True)
class Row:
    """One cause; `packets` of N frames of `length` octets are lost."""

    name: str
    make: Callable[[Scene], XdpSocket]
    error: int
    packets: int = N
    length: int = 64


ROWS = (
    Row("socket not bound", not_bound, errno.ENXIO),
    Row("socket of another queue", other_queue, errno.EINVAL),
    Row("socket of another device", other_device, errno.EINVAL),
    Row("receive ring full", ring_full, errno.ENOBUFS, N - RING),
    Row("fill ring empty", nothing_filled, errno.ENOMEM),
    Row("frame longer than a chunk", bound, errno.ENOSPC, length=2500),
)


@pytest.mark.parametrize("mode", ["veth", "generic"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_monitor_names_the_cause(lab: Lab, mode: str, row: Row) -> None:
    with ExitStack() as stack:
        scene = Scene(lab, stack, mtu=3000, queues=2)
        sockets = create_map(MapSpec("sockets", MapType.XSKMAP, 4, 4, KEY + 1))
        stack.callback(sockets.close)
        scene.maps.add(id_of(sockets))
        scene.run(redirect_map(sockets.fd, KEY), generic=mode == "generic")
        made = row.make(scene)
        stack.callback(made.close)
        sockets.put(U32.pack(KEY), U32.pack(made.fd))
        scene.source.send([scene.frame(row.length)] * N)
        key = LossKey(
            event=REDIRECT_ERR,
            program=scene.program,
            map=id_of(sockets),
            index=KEY,
            origin=scene.ingress.ifindex,
            to=0,
            error=row.error,
        )
        scene.lost({key: row.packets})
        explained(scene, [key], SOCKETS[row.name])
