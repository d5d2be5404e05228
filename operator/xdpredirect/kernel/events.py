"""Every xdp tracepoint of the machine, counted for as long as somebody looks.

Called by `cli.monitor_host`. Nothing is pinned: the links live as descriptors of this process, so
the kernel takes everything down however the process ends. Tracepoints differ between kernels; those
that exist are found in the kernel's BTF.
"""

import os
import struct
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from xdpredirect.datapath.abi import U32, U64
from xdpredirect.datapath.builder import MAP_NUMBER_BASE
from xdpredirect.datapath.mapspec import NO_PREALLOC, MapSpec, MapType
from xdpredirect.datapath.source import flatten
from xdpredirect.errors import KernelError
from xdpredirect.kernel.bpf import Command, bpf_call, object_info
from xdpredirect.kernel.btf import Btf
from xdpredirect.kernel.compile import Compiler, relocate
from xdpredirect.kernel.maps import create_map
from xdpredirect.kernel.programs import load_traced
from xdpredirect.kernel.tracer import config

# The position, from 1, is the number of the event in the kernel.
TRACEPOINTS = (
    "xdp_redirect",
    "xdp_redirect_err",
    "xdp_redirect_map",
    "xdp_redirect_map_err",
    "xdp_exception",
    "xdp_devmap_xmit",
    "xdp_bulk_tx",
    "xdp_cpumap_enqueue",
    "xdp_cpumap_kthread",
    "mem_connect",
    "mem_disconnect",
    "mem_return_failed",
    "bpf_xdp_link_attach_failed",
)
SUCCESS = ("xdp_redirect", "xdp_redirect_map")
"""Hit once a redirected frame, so attached only when asked for."""
KEY = struct.Struct("=IIIIIIII")
TALLY = struct.Struct("=QQQQQQQ")
NAME_KEY = struct.Struct("=III")
_EVENTS = MapSpec("xdp_events", MapType.PERCPU_HASH, KEY.size, TALLY.size, 16384, NO_PREALLOC)
_NAMES = MapSpec("xdp_names", MapType.HASH, NAME_KEY.size, 16, 16384, NO_PREALLOC)
_UNLISTED = MapSpec("xdp_unlisted", MapType.ARRAY, 4, 8, 1)
_NUMBERS = {"MAP_EVENTS": 1, "MAP_NAMES": 2, "MAP_UNLISTED": 3}
_DEVICE, _PROGRAM = 1, 2
_RAW_TP = 23


@dataclass(frozen=True, slots=True, order=True)
class EventKey:
    """struct event_key of bpf/events.h: `event` is a position in TRACEPOINTS, from 1."""

    event: int
    program: int
    map: int
    index: int
    origin: int
    to: int
    error: int
    netns: int


@dataclass(frozen=True, slots=True)
class Tally:
    """struct tally of bpf/events.h, summed over CPUs, since the monitor was started."""

    events: int = 0
    packets: int = 0
    drops: int = 0
    passed: int = 0
    refused: int = 0
    redirected: int = 0
    scheduled: int = 0


class EventMonitor:
    """Counts from `__enter__` to `__exit__`. `attached` names the tracepoints that this kernel has
    and that were asked for. Entering raises KernelError, CompileError or VerifierError."""

    def __init__(self, compiler: Compiler, sources: Mapping[str, str], success: bool) -> None:
        self._compiler, self._sources = compiler, sources
        self._btf = Btf()
        self._there = self._btf.typedefs("btf_trace_")
        self.attached = tuple(
            name for name in TRACEPOINTS if name in self._there and (success or name not in SUCCESS)
        )
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._events = stack.enter_context(create_map(_EVENTS))
            self._names = stack.enter_context(create_map(_NAMES))
            self._unlisted = stack.enter_context(create_map(_UNLISTED))
            self._attach(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _attach(self, stack: ExitStack) -> None:
        text = config(self._btf, None) + _config(self._btf)
        source = flatten("event_monitor.c", {**self._sources, "config.h": text})
        code = self._compiler.functions(source, self.attached)
        maps = (self._events, self._names, self._unlisted)
        fds = dict(zip(_NUMBERS.values(), (opened.fd for opened in maps), strict=True))
        for name in self.attached:
            program = load_traced(name, relocate(code[name], fds), self._there[name])
            try:
                attributes = bytearray(struct.pack("=IIII", program, 0, _RAW_TP, 0))
                stack.callback(
                    os.close, bpf_call(Command.LINK_CREATE, attributes, f"attach to {name}")
                )
            finally:
                os.close(program)

    def read(self) -> dict[EventKey, Tally]:
        """What was counted so far. Raises KernelError."""
        found = {}
        for key, values in self._events.items().items():
            sums = [sum(column) for column in zip(*TALLY.iter_unpack(values), strict=True)]
            found[EventKey(*KEY.unpack(key))] = Tally(*sums)
        return found

    def names(self) -> tuple[dict[tuple[int, int], str], dict[int, str]]:
        """Names of devices by (network namespace, ifindex), and of programs by id."""
        devices, programs = {}, {}
        for key, value in self._names.items().items():
            kind, number, netns = NAME_KEY.unpack(key)
            text = value.split(b"\0")[0].decode(errors="replace")
            if kind == _DEVICE:
                devices[netns, number] = text
            else:
                programs[number] = text
        return devices, programs

    def unlisted(self) -> int:
        """Events that found no room in the map of events."""
        (number,) = U64.unpack(self._unlisted.get(U32.pack(0)) or bytes(8))
        return int(number)


def _config(btf: Btf) -> str:
    """What config.h needs beyond that of the drop monitor."""
    defines = {name: MAP_NUMBER_BASE + number for name, number in _NUMBERS.items()}
    defines |= {f"EVENT_{name.upper()}": n for n, name in enumerate(TRACEPOINTS, 1)}
    defines |= {
        "NET_DEVICE_NAME": btf.offset("net_device", "name"),
        "BPF_PROG_AUX_NAME": btf.offset("bpf_prog_aux", "name"),
        "CPUMAP_STATS_PASS": btf.offset("xdp_cpumap_stats", "pass"),
        "CPUMAP_STATS_REDIRECT": btf.offset("xdp_cpumap_stats", "redirect"),
    }
    return "".join(f"#define {name} {value}\n" for name, value in sorted(defines.items()))


def map_name(number: int) -> str:
    """Name of any map of the machine; "" when it is gone, or without CAP_SYS_ADMIN."""
    try:
        fd = bpf_call(Command.MAP_GET_FD_BY_ID, bytearray(U32.pack(number)), "open map")
    except KernelError:
        return ""
    try:
        return object_info(fd, 40)[24:40].split(b"\0")[0].decode(errors="replace")
    finally:
        os.close(fd)
