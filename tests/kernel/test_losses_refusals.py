"""Before any frame: writes to redirect maps and attachments that the kernel refuses, by errno."""

import errno
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.kernel.bytecode import XDP_DROP, XDP_PASS, verdict
from tests.kernel.lab import Lab
from tests.kernel.scene import Scene
from xdpredirect.datapath.abi import PAIR, U32
from xdpredirect.datapath.mapspec import MapType
from xdpredirect.errors import KernelError
from xdpredirect.kernel.maps import possible_cpus
from xdpredirect.kernel.programs import AttachType

NOBODY = 9999


def device_of_no_namespace(s: Scene) -> None:
    s.new_map(MapType.DEVMAP).put(U32.pack(0), PAIR.pack(NOBODY, 0))


def device_key_too_big(s: Scene) -> None:
    s.new_map(MapType.DEVMAP).put(U32.pack(NOBODY), PAIR.pack(1, 0))


def plain_program_for_a_device(s: Scene) -> None:
    devices, program = s.new_map(MapType.DEVMAP), s.load(verdict(XDP_DROP))
    with s.dut.enter():
        devices.put(U32.pack(0), PAIR.pack(s.ingress.ifindex, program))


def queue_too_long(s: Scene) -> None:
    s.cpus(0, 16385)


def cpu_that_cannot_be(s: Scene) -> None:
    s.cpus(possible_cpus(), 64)


def cpu_key_too_big(s: Scene) -> None:
    s.new_map(MapType.CPUMAP, entries=1).put(U32.pack(1), PAIR.pack(64, 0))


def devmap_program_for_a_cpu(s: Scene) -> None:
    s.cpus(0, 64, s.load(verdict(XDP_PASS), AttachType.DEVMAP))


def native_on_loopback(s: Scene) -> None:
    s.run(verdict(XDP_PASS), on=s.port("lo"))


def second_program(s: Scene) -> None:
    s.run(verdict(XDP_PASS))
    s.run(verdict(XDP_PASS))


def second_mode(s: Scene) -> None:
    s.run(verdict(XDP_PASS))
    s.run(verdict(XDP_PASS), generic=True)


def peer_mtu_too_big(s: Scene) -> None:
    s.run(verdict(XDP_PASS), on=s.wire("p2", "b", mtu=9000))


ROWS: tuple[tuple[Callable[[Scene], None], int], ...] = (
    (device_of_no_namespace, errno.EINVAL),
    (device_key_too_big, errno.E2BIG),
    (plain_program_for_a_device, errno.EINVAL),
    (queue_too_long, errno.EOVERFLOW),
    (cpu_that_cannot_be, errno.ENODEV),
    (cpu_key_too_big, errno.E2BIG),
    (devmap_program_for_a_cpu, errno.ENOMEM),
    (native_on_loopback, errno.EOPNOTSUPP),
    (second_program, errno.EBUSY),
    (second_mode, errno.EEXIST),
    (peer_mtu_too_big, errno.ERANGE),
)


@pytest.mark.parametrize(("make", "error"), ROWS, ids=[make.__name__ for make, _ in ROWS])
def test_the_kernel_refuses(lab: Lab, make: Callable[[Scene], None], error: int) -> None:
    with ExitStack() as stack:
        scene = Scene(lab, stack)
        with pytest.raises(KernelError) as refused:
            make(scene)
        assert refused.value.errno == error
        scene.lost({})
