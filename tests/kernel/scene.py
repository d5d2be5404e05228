"""A host under test that loses frames in one known way, and the drop monitor that counts them.

Used by test_losses_*.py and tests/bench/monitor.py. Programs here are raw ones: the product would
never load most of them.

    scene = Scene(lab, stack)
    target = scene.wire("p2", "b")
    scene.run(redirect_map(scene.devices({0: target}).fd))
    target.host.ip("link", "set", "p2", "down")
    scene.source.send([frame(scene)] * 1000)
    scene.lost({LossKey(...): 1000})
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.kernel.lab import Host, Lab, Port
from tests.kernel.loaded import CACHE, SOURCES
from xdpredirect.datapath.abi import PAIR, U32
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.kernel.bpf import program_info
from xdpredirect.kernel.compile import Compiler
from xdpredirect.kernel.maps import Map, create_map, map_id, open_map
from xdpredirect.kernel.programs import AttachType, create_link, load_program
from xdpredirect.kernel.tracer import LossKey, install, read_losses

EXPERIMENT = b"\x88\xb5"
SETTLED_SECONDS, PATIENCE_SECONDS = 0.1, 30.0
_ENTRIES = 16
# From here on events are those of CPU maps.
CPU_EVENTS = 5


def netns_of(host: Host) -> int:
    """The number that the kernel knows the host's network namespace by."""
    return host.path.stat().st_ino


@contextmanager
def monitored(directory: Path, netns: int | None) -> Iterator[tuple[Map, Map]]:
    """The drop monitor, pinned in a new directory of a bpffs; yields what `read_losses` reads."""
    directory.mkdir()
    try:
        install(directory, Compiler("/usr/bin/python3", CACHE), SOURCES, netns)
        with open_map(directory / "losses") as losses, open_map(directory / "slots") as slots:
            yield losses, slots
    finally:
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()


class Scene:
    """`dut` has one ingress, `p1`, fed by `source` on host `a`; the rest a test adds.

    Whatever the test makes goes with `stack`. Without `monitor` there is no `losses`.
    """

    def __init__(
        self,
        lab: Lab,
        stack: ExitStack,
        *,
        mtu: int = 1500,
        queues: int = 1,
        monitor: bool = True,
    ) -> None:
        self.lab, self._stack = lab, stack
        self.ingress, self.source = lab.veth(("dut", "p1"), ("a", "eth0"), mtu=mtu, queues=queues)
        self.dut = self.ingress.host
        if monitor:
            watch = monitored(self.dut.bpffs / "monitor", netns_of(self.dut))
            self.losses = stack.enter_context(watch)
        self.program = 0
        self.maps: set[int] = set()
        self.peers: dict[str, Port] = {}

    def wire(self, name: str, far: str, *, mtu: int = 1500, tuned: bool = True) -> Port:
        """A further port of the host under test; `peers` has eth0 of host `far`, its other end."""
        near, self.peers[name] = self.lab.veth(("dut", name), (far, "eth0"), mtu=mtu, tuned=tuned)
        return near

    def port(self, name: str) -> Port:
        """An interface of the host under test that was made otherwise, such as `lo`."""
        with self.dut.enter():
            return Port(self.dut, name, socket.if_nametoindex(name), bytes(6))

    def new_map(self, kind: MapType, *, entries: int = _ENTRIES, flags: int = 0) -> Map:
        """An empty redirect map; values are (device or queue size, program)."""
        made = create_map(MapSpec(kind.name.lower(), kind, 4, 8, entries, flags))
        self._stack.callback(made.close)
        self.maps.add(id_of(made))
        return made

    def devices(
        self, ports: Mapping[int, Port], *, egress: int = 0, kind: MapType = MapType.DEVMAP
    ) -> Map:
        """A device map. `egress` is the descriptor of a program for all entries."""
        made = self.new_map(kind)
        with self.dut.enter():
            for key, port in ports.items():
                made.put(U32.pack(key), PAIR.pack(port.ifindex, egress))
        return made

    def cpus(self, cpu: int, qsize: int, program: int = 0) -> Map:
        """A CPU map with one entry."""
        made = self.new_map(MapType.CPUMAP, entries=cpu + 1)
        made.put(U32.pack(cpu), PAIR.pack(qsize, program))
        return made

    def load(self, code: bytes, kind: AttachType = AttachType.XDP, *, frags: bool = False) -> int:
        """A program; its descriptor."""
        fd = load_program("scene", code, kind, frags)
        self._stack.callback(os.close, fd)
        return fd

    def run(
        self, code: bytes, *, generic: bool = False, frags: bool = False, on: Port | None = None
    ) -> None:
        """Attaches a program to the ingress (or another port) until the end of the test."""
        port, fd = on or self.ingress, self.load(code, frags=frags)
        with port.host.enter():
            link = create_link(fd, port.ifindex, generic)
        self._stack.callback(os.close, link)
        self.program = program_info(fd).id

    def frame(self, length: int = 64, to: bytes = b"\xff" * 6) -> bytes:
        """A frame of an experimental type, which no stack answers."""
        return to + self.source.mac + EXPERIMENT + bytes(length - 14)

    def counted(self) -> dict[LossKey, int]:
        """What the monitor has counted so far, without CPU maps of others: their events name no
        device, so the monitor cannot tell whose host they are from."""
        found = read_losses(*self.losses)
        return {
            key: n for key, n in found.items() if key.event < CPU_EVENTS or key.map in self.maps
        }

    def lost(self, expected: Mapping[LossKey, int]) -> None:
        """Waits until the monitor shows exactly this, and that nothing is added to it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.counted() != expected and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(SETTLED_SECONDS)
        assert (found := self.counted()) == expected, f"{found} and not {dict(expected)}"


def id_of(opened: Map) -> int:
    """The id of a map, as tracepoints give it."""
    return map_id(opened.fd)


def threaded_napi(port: Port, cpu: int) -> None:
    """What receives on a port becomes a kernel thread bound to `cpu`, which `monopoly` can stop."""
    before = set(_napi_threads())
    # sysfs shows the interfaces of whoever mounts it.
    words = f"mount -t sysfs none /mnt && echo 1 > /mnt/class/net/{port.name}/threaded"
    port.host.run(["unshare", "--mount", "sh", "-c", words])
    (pid,) = set(_napi_threads()) - before
    os.sched_setaffinity(pid, {cpu})


def _napi_threads() -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            if path.read_text().startswith("napi/"):
                yield int(path.parent.name)


@contextmanager
def occupied(cpu: int) -> Iterator[None]:
    """As `monopoly`, by another process: softirqs that the test causes run on the other CPUs."""
    spin = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\n"
    spin += "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))\n"
    spin += "print(flush=True)\nwhile True: pass"
    allowed = os.sched_getaffinity(0)
    spinner = subprocess.Popen([sys.executable, "-c", spin, str(cpu)], stdout=subprocess.PIPE)
    try:
        assert spinner.stdout is not None
        spinner.stdout.readline()
        os.sched_setaffinity(0, allowed - {cpu})
        yield
        # What a softirq put off is done by a thread of the other CPU.
        time.sleep(SETTLED_SECONDS)
    finally:
        spinner.kill()
        spinner.communicate()
        os.sched_setaffinity(0, allowed)


@contextmanager
def monopoly(cpu: int) -> Iterator[None]:
    """This thread alone runs on one CPU: kernel threads that are bound to it stand still, so that
    a queue which one of them empties fills up."""
    allowed, policy, parameter = (
        os.sched_getaffinity(0),
        os.sched_getscheduler(0),
        os.sched_getparam(0),
    )
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameter)
        os.sched_setaffinity(0, allowed)
