"""Frames that a redirect accepted and that a device lost: xdp_devmap_xmit and xdp_bulk_tx.

Each row makes one cause for real and holds the drop monitor to every key and count. Rows with a
full queue use `monopoly`: the thread that would empty the queue cannot run meanwhile.
"""

import errno
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.kernel.bytecode import (
    XDP_ABORTED,
    XDP_DROP,
    XDP_REDIRECT,
    XDP_TX,
    redirect_map,
    redirect_map_by_octet,
    verdict,
)
from tests.kernel.conformance import FLUSHED
from tests.kernel.explained import explained
from tests.kernel.lab import Lab, Port
from tests.kernel.scene import Scene, monopoly, occupied, threaded_napi
from xdpredirect.datapath.abi import PAIR, U32
from xdpredirect.kernel.bpf import program_info
from xdpredirect.kernel.maps import Map
from xdpredirect.kernel.programs import AttachType
from xdpredirect.kernel.tracer import LossKey

N = 1000
EXCEPTION, XMIT, BULK_TX = 2, 3, 4
# VETH_RING_SIZE of drivers/net/veth.c.
VETH_RING = 256
TAP_RING = 512
# What a veth receives before its NAPI thread runs, and a multiple of the bulk queue's 16.
FEW = 192
CPU = 1
BURSTS = 20
Losses = dict[LossKey, int]


def event(kind: int, **fields: int) -> LossKey:
    """A key with zeroes where a field is not said."""
    return LossKey(
        **{**dict.fromkeys(("program", "map", "index", "origin", "to", "error"), 0), **fields},
        event=kind,
    )


def xmit(s: Scene, target: Port, packets: int = N, error: int = 0) -> Losses:
    """What a device did not take from the bulk queue."""
    key = event(XMIT, origin=s.ingress.ifindex, to=target.ifindex, error=error)
    return {key: packets}


def send(s: Scene, length: int = 64) -> None:
    s.source.send([s.frame(length)] * N)


def to_device(s: Scene, target: Port, program: int = 0) -> Map:
    devices = s.devices({0: target}, egress=program)
    s.run(redirect_map(devices.fd))
    return devices


def egress(s: Scene, code: int) -> int:
    return s.load(verdict(code), AttachType.DEVMAP)


def peer_down(s: Scene) -> Losses:
    target = s.wire("p2", "b")
    to_device(s, target)
    s.lab.host("b").ip("link", "set", "eth0", "down")
    send(s)
    return xmit(s, target, error=errno.ENXIO)


def peer_mtu_smaller(s: Scene) -> Losses:
    target = s.wire("p2", "b")
    to_device(s, target)
    s.lab.host("b").ip("link", "set", "eth0", "mtu", "1000")
    send(s, 1400)
    return xmit(s, target)


def near_peer(s: Scene) -> tuple[Port, Port]:
    """A target whose other end is a port of the host under test as well."""
    return s.lab.veth(("dut", "p2"), ("dut", "far2"))


def near_peer_mtu_smaller(s: Scene) -> Losses:
    target, _ = near_peer(s)
    to_device(s, target)
    s.dut.ip("link", "set", "far2", "mtu", "1000")
    send(s, 1400)
    return xmit(s, target)


def near_peer_ring_full(s: Scene) -> Losses:
    target, far = near_peer(s)
    to_device(s, target)
    threaded_napi(far, CPU)
    with monopoly(CPU):
        send(s)
    return xmit(s, target, N - VETH_RING)


def tap_reader_slow(s: Scene) -> Losses:
    s.lab.tap("dut", "tap0")
    s.dut.ip("link", "set", "tap0", "txqueuelen", str(TAP_RING))
    target = s.port("tap0")
    to_device(s, target)
    send(s)
    return xmit(s, target, N - TAP_RING)


def veth_ring_full(s: Scene) -> Losses:
    target = s.wire("p2", "b")
    to_device(s, target)
    threaded_napi(s.peers["p2"], CPU)
    with monopoly(CPU):
        send(s)
    return xmit(s, target, N - VETH_RING)


def tap_without_reader(s: Scene) -> Losses:
    s.lab.host("dut").ip("tuntap", "add", "dev", "tap0", "mode", "tap")
    s.dut.ip("link", "set", "tap0", "up")
    target = s.port("tap0")
    to_device(s, target)
    send(s)
    return xmit(s, target, error=errno.ENXIO)


def egress_drops(s: Scene) -> Losses:
    target = s.wire("p2", "b")
    to_device(s, target, egress(s, XDP_DROP))
    send(s)
    return xmit(s, target)


def egress_says(s: Scene, code: int) -> Losses:
    target = s.wire("p2", "b")
    fd = egress(s, code)
    to_device(s, target, fd)
    send(s)
    key = event(EXCEPTION, program=program_info(fd).id, index=code, origin=target.ifindex)
    return {**xmit(s, target), key: N}


def two_egress_programs(s: Scene, first: int) -> Losses:
    """The bulk queue of a device keeps the program of its first frame, whatever entry the others
    came through: half of the frames belong to an entry without program."""
    target, fd = s.wire("p2", "b"), egress(s, XDP_DROP)
    devices = s.devices({})
    with s.dut.enter():
        devices.put(U32.pack(0), PAIR.pack(target.ifindex, fd))
        devices.put(U32.pack(1), PAIR.pack(target.ifindex, 0))
    s.run(redirect_map_by_octet(devices.fd, 20))
    threaded_napi(s.ingress, CPU)
    frames = [bytearray(s.frame()) for _ in range(FEW)]
    for number, frame in enumerate(frames):
        frame[20] = (number + first) % 2
    with monopoly(CPU):
        s.source.send(bytes(frame) for frame in frames)
    return xmit(s, target, FEW) if first == 0 else {}


def generic_queue_stopped(s: Scene) -> Losses:
    target = s.wire("p2", "b")
    # A veth without a queueing discipline drops what its peer has no room for; with one it stops
    # its queue, which is what other devices do.
    s.dut.run(["tc", "qdisc", "add", "dev", "p2", "root", "pfifo"])
    # Frames of a sender that segments by itself go past the NAPI of its peer.
    s.dut.ethtool("-K", "p2", "tso", "off")
    devices = s.devices({0: target})
    s.run(redirect_map(devices.fd), generic=True)
    threaded_napi(s.peers["p2"], CPU)
    key = event(EXCEPTION, program=s.program, index=XDP_TX, origin=target.ifindex)
    with s.peers["p2"].counter() as arrived:
        sent = 0
        # The ring holds VETH_RING frames; how many leave it meanwhile is the scheduler's choice.
        while sent < BURSTS * N and key not in s.counted():
            with occupied(CPU):
                send(s)
            sent += N
        arrived.settled()
    assert arrived.count < sent
    return {key: sent - arrived.count}


def tx_without_program_at_the_peer(s: Scene) -> Losses:
    """`source` has neither GRO nor a program, so nothing there can take the frames."""
    s.source.host.ethtool("-K", s.source.name, "gro", "off")
    s.run(verdict(XDP_TX))
    send(s)
    at = s.ingress.ifindex
    return {event(BULK_TX, origin=at, to=at, error=errno.ENXIO): N}


ROWS: tuple[tuple[str, Callable[[Scene], Losses]], ...] = (
    ("veth: peer of the target down", peer_down),
    ("veth: MTU of the target's peer smaller", peer_mtu_smaller),
    ("veth: ring of the target's peer full", veth_ring_full),
    ("veth: MTU of the target's peer smaller, peer here", near_peer_mtu_smaller),
    ("veth: ring of the target's peer full, peer here", near_peer_ring_full),
    ("tap: target without a reader", tap_without_reader),
    ("tap: reader of the target too slow", tap_reader_slow),
    ("veth: egress program drops", egress_drops),
    ("veth: egress program ABORTED", lambda s: egress_says(s, XDP_ABORTED)),
    ("veth: egress program REDIRECT", lambda s: egress_says(s, XDP_REDIRECT)),
    ("veth: two egress programs, the dropping one first", lambda s: two_egress_programs(s, 0)),
    ("veth: two egress programs, the dropping one second", lambda s: two_egress_programs(s, 1)),
    ("generic: transmit queue of the target stopped", generic_queue_stopped),
    ("veth: XDP_TX without receiver", tx_without_program_at_the_peer),
)


@pytest.mark.parametrize(("name", "make"), ROWS, ids=[name for name, _ in ROWS])
def test_the_monitor_names_the_cause(lab: Lab, name: str, make: Callable[[Scene], Losses]) -> None:
    with ExitStack() as stack:
        scene = Scene(lab, stack)
        lost = make(scene)
        scene.lost(lost)
        explained(scene, lost, FLUSHED[name])
