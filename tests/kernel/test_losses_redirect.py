"""Frames that a redirect refuses one by one: xdp_redirect_err and xdp_exception.

Each row of LOSSES makes one cause for real; the monitor must show that key, exactly 1000 frames,
and nothing else. docs/drop-conformance.md is the list of all rows.
"""

import errno
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.kernel.bytecode import (
    XDP_ABORTED,
    XDP_PASS,
    XDP_REDIRECT,
    redirect_map,
    redirect_to,
    verdict,
)
from tests.kernel.conformance import REFUSED
from tests.kernel.explained import explained
from tests.kernel.lab import Lab, Port
from tests.kernel.scene import Scene, id_of
from xdpredirect.datapath.mapspec import MapType
from xdpredirect.kernel.maps import Map
from xdpredirect.kernel.tracer import LossKey

N = 1000
REDIRECT_ERR, EXCEPTION = 1, 2
KEY = 3
BROADCAST, EXCLUDE_INGRESS = 8, 16
# bpf_redirect() leaves no map, which the kernel shows as INT_MAX; without any helper it is 0.
NO_MAP, NO_HELPER = 0x7FFFFFFF, 0


@dataclass(frozen=True)
class Made:
    """What a set-up made: the map that is used and the target, where there are any."""

    map: Map | int = 0
    target: Port | None = None
    index: int = 0
    length: int = 64


@dataclass(frozen=True)
class Loss:
    """One row: how it is made, and which event with which errno says so."""

    name: str
    make: Callable[[Scene], Made]
    event: int
    error: int = 0
    mtu: int = 1500


def absent_aborted(s: Scene, generic: bool = False) -> Made:
    s.run(redirect_map(s.devices({}).fd, KEY), generic=generic)
    return Made(index=XDP_ABORTED)


def broadcast_on_a_cpumap(s: Scene) -> Made:
    s.run(redirect_map(s.cpus(0, 64).fd, 0, BROADCAST))
    return Made(index=XDP_ABORTED)


def flags_of_redirect(s: Scene) -> Made:
    s.run(redirect_to(s.wire("p2", "b").ifindex, XDP_PASS))
    return Made(index=XDP_ABORTED)


def unknown_verdict(s: Scene) -> Made:
    s.run(verdict(77))
    return Made(index=77)


def no_helper(s: Scene) -> Made:
    s.run(verdict(XDP_REDIRECT))
    return Made(map=NO_HELPER)


def device_is_gone(s: Scene, generic: bool = False) -> Made:
    gone = s.wire("p2", "b")
    s.dut.ip("link", "del", "p2")
    s.run(redirect_to(gone.ifindex), generic=generic)
    return Made(map=NO_MAP, index=gone.ifindex)


def _to(s: Scene, target: Port, *, generic: bool = False, length: int = 64) -> Made:
    devices = s.devices({KEY: target})
    s.run(redirect_map(devices.fd, KEY), generic=generic)
    return Made(map=devices, target=target, index=KEY, length=length)


def veth_without_gro(s: Scene) -> Made:
    return _to(s, s.wire("p2", "b", tuned=False))


def loopback(s: Scene) -> Made:
    s.dut.ip("link", "set", "lo", "up")
    return _to(s, s.port("lo"))


def target_down(s: Scene) -> Made:
    made = _to(s, s.wire("p2", "b"))
    s.dut.ip("link", "set", "p2", "down")
    return made


def target_down_hash(s: Scene) -> Made:
    target = s.wire("p2", "b")
    devices = s.devices({KEY: target}, kind=MapType.DEVMAP_HASH)
    s.run(redirect_map(devices.fd, KEY))
    s.dut.ip("link", "set", "p2", "down")
    return Made(map=devices, target=target, index=KEY)


def target_down_without_map(s: Scene) -> Made:
    target = s.wire("p2", "b")
    s.run(redirect_to(target.ifindex))
    s.dut.ip("link", "set", "p2", "down")
    return Made(map=NO_MAP, index=target.ifindex)


def target_down_generic(s: Scene) -> Made:
    made = _to(s, s.wire("p2", "b"), generic=True)
    s.dut.ip("link", "set", "p2", "down")
    return made


def frame_too_big(s: Scene) -> Made:
    return _to(s, s.wire("p2", "b", mtu=1500), length=2000)


def frame_too_big_generic(s: Scene) -> Made:
    return _to(s, s.wire("p2", "b", mtu=1500), generic=True, length=2000)


def many_buffers_to_a_tap(s: Scene) -> Made:
    s.lab.tap("dut", "tap0")
    s.dut.ip("link", "set", "tap0", "mtu", "9000")
    target = s.port("tap0")
    devices = s.devices({KEY: target})
    s.run(redirect_map(devices.fd, KEY), frags=True)
    return Made(map=devices, target=target, index=KEY, length=8000)


def many_buffers_broadcast(s: Scene) -> Made:
    members = {1: s.wire("p2", "b", mtu=9000), 2: s.wire("p3", "c", mtu=9000)}
    devices = s.devices(members)
    s.run(redirect_map(devices.fd, 0, BROADCAST), frags=True)
    return Made(map=devices, length=8000)


def too_many_uppers(s: Scene) -> Made:
    """EXCLUDE_INGRESS also leaves out what sits on top of the ingress, eight devices at most."""
    devices = s.devices({1: s.wire("p2", "b"), 2: s.wire("p3", "c")})
    s.run(redirect_map(devices.fd, 0, BROADCAST | EXCLUDE_INGRESS))
    for number in range(9):
        s.dut.ip("link", "add", "link", "p1", "name", f"mv{number}", "type", "macvlan")
    return Made(map=devices)


LOSSES = (
    Loss("veth: key absent, flags 0", absent_aborted, EXCEPTION),
    Loss("generic: key absent, flags 0", lambda s: absent_aborted(s, True), EXCEPTION),
    Loss("veth: BROADCAST on a CPUMAP", broadcast_on_a_cpumap, EXCEPTION),
    Loss("veth: bpf_redirect() with flags", flags_of_redirect, EXCEPTION),
    Loss("veth: a verdict that does not exist", unknown_verdict, EXCEPTION),
    Loss("veth: XDP_REDIRECT without a helper", no_helper, REDIRECT_ERR, 56),
    Loss(
        "veth: bpf_redirect() to a device that is gone", device_is_gone, REDIRECT_ERR, errno.EINVAL
    ),
    Loss(
        "generic: bpf_redirect() to a device that is gone",
        lambda s: device_is_gone(s, True),
        REDIRECT_ERR,
        errno.EINVAL,
    ),
    Loss(
        "veth: target veth without GRO or program at its peer",
        veth_without_gro,
        REDIRECT_ERR,
        errno.EOPNOTSUPP,
    ),
    Loss("veth: target lo has no ndo_xdp_xmit", loopback, REDIRECT_ERR, errno.EOPNOTSUPP),
    Loss("veth: target down", target_down, REDIRECT_ERR, errno.ENETDOWN),
    Loss("veth: target down, DEVMAP_HASH", target_down_hash, REDIRECT_ERR, errno.ENETDOWN),
    Loss(
        "veth: target down, bpf_redirect()", target_down_without_map, REDIRECT_ERR, errno.ENETDOWN
    ),
    Loss("generic: target down", target_down_generic, REDIRECT_ERR, errno.ENETDOWN),
    Loss(
        "veth: frame above the MTU of the target", frame_too_big, REDIRECT_ERR, errno.EMSGSIZE, 3000
    ),
    Loss(
        "generic: frame above the MTU of the target",
        frame_too_big_generic,
        REDIRECT_ERR,
        errno.EMSGSIZE,
        3000,
    ),
    Loss(
        "veth: multi-buffer frame to a target without NDO_XMIT_SG",
        many_buffers_to_a_tap,
        REDIRECT_ERR,
        errno.EOPNOTSUPP,
        9000,
    ),
    Loss(
        "veth: broadcast of a multi-buffer frame",
        many_buffers_broadcast,
        REDIRECT_ERR,
        errno.EOPNOTSUPP,
        9000,
    ),
    Loss(
        "veth: EXCLUDE_INGRESS with more than eight devices on top of the ingress",
        too_many_uppers,
        REDIRECT_ERR,
        errno.EOVERFLOW,
    ),
)


@pytest.mark.parametrize("row", LOSSES, ids=lambda row: row.name)
def test_the_monitor_names_the_cause(lab: Lab, row: Loss) -> None:
    with ExitStack() as stack:
        scene = Scene(lab, stack, mtu=row.mtu)
        made = row.make(scene)
        scene.source.send([scene.frame(made.length)] * N)
        key = LossKey(
            event=row.event,
            program=scene.program,
            map=made.map if isinstance(made.map, int) else id_of(made.map),
            index=made.index,
            origin=scene.ingress.ifindex,
            to=made.target.ifindex if made.target else 0,
            error=row.error,
        )
        scene.lost({key: N})
        explained(scene, [key], REFUSED[row.name])
