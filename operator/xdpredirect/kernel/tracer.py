"""The drop monitor in the kernel: programs on the xdp tracepoints, pinned, and their counts.

Called by `agent.monitor`. Tracepoints differ between kernels, so those that exist are found in the
kernel's BTF; a program on one that is missing could not be loaded. Pinned links count on while
nobody of us runs.
"""

import os
import struct
from collections.abc import Mapping
from pathlib import Path

from xdpredirect.datapath.abi import LossKey
from xdpredirect.datapath.builder import MAP_NUMBER_BASE
from xdpredirect.datapath.mapspec import NO_PREALLOC, MapSpec, MapType
from xdpredirect.datapath.source import flatten
from xdpredirect.kernel.bpf import Command, bpf_call, pin
from xdpredirect.kernel.btf import Btf
from xdpredirect.kernel.compile import Compiler, relocate
from xdpredirect.kernel.maps import Map, create_map
from xdpredirect.kernel.programs import load_traced

KEY = struct.Struct("=IIIIIII")
CAUSES = 16384
LOSSES = MapSpec("losses", MapType.PERCPU_HASH, KEY.size, 8, CAUSES, NO_PREALLOC)
OVERFLOW = MapSpec("overflow", MapType.ARRAY, 4, 8, 1)
TRACEPOINTS = (
    "xdp_redirect_err",
    "xdp_exception",
    "xdp_devmap_xmit",
    "xdp_bulk_tx",
    "xdp_cpumap_enqueue",
    "xdp_cpumap_kthread",
)
__all__ = ["LossKey", "install", "read_losses"]
_LOSSES_NUMBER, _OVERFLOW_NUMBER = 1, 2
_RAW_TP = 23


def config(btf: Btf, netns: int | None) -> str:
    """config.h of the drop monitor. `netns` None counts the events of every namespace."""
    defines = {
        "MAP_LOSSES": MAP_NUMBER_BASE + _LOSSES_NUMBER,
        "MAP_OVERFLOW": MAP_NUMBER_BASE + _OVERFLOW_NUMBER,
        "NET_DEVICE_IFINDEX": btf.offset("net_device", "ifindex"),
        "NET_DEVICE_NET": btf.offset("net_device", "nd_net"),
        "NET_INUM": btf.offset("net", "ns", "inum"),
        "BPF_PROG_AUX": btf.offset("bpf_prog", "aux"),
        "BPF_PROG_AUX_ID": btf.offset("bpf_prog_aux", "id"),
        "DTAB_NETDEV_DEV": btf.offset("bpf_dtab_netdev", "dev"),
        "CPUMAP_STATS_DROP": btf.offset("xdp_cpumap_stats", "drop"),
        "USES": 0,
    }
    if netns is not None:
        defines["NETNS"] = netns
    return "".join(f"#define {name} {value}\n" for name, value in sorted(defines.items()))


def install(
    directory: Path, compiler: Compiler, sources: Mapping[str, str], netns: int | None
) -> tuple[str, ...]:
    """Load, attach and pin the monitor into an empty directory; names of its tracepoints.

    The maps are pinned last: a directory without them is not whole. Raises KernelError,
    CompileError or VerifierError.
    """
    btf = Btf()
    there = btf.typedefs("btf_trace_")
    names = tuple(name for name in TRACEPOINTS if name in there)
    source = flatten("drop_monitor.c", {**sources, "config.h": config(btf, netns)})
    code = compiler.functions(source, names)
    with create_map(LOSSES) as losses, create_map(OVERFLOW) as overflow:
        fds = {_LOSSES_NUMBER: losses.fd, _OVERFLOW_NUMBER: overflow.fd}
        for name in names:
            program = load_traced(name, relocate(code[name], fds), there[name])
            try:
                _attach(program, directory / f"link-{name}")
            finally:
                os.close(program)
        pin(overflow.fd, directory / OVERFLOW.name)
        pin(losses.fd, directory / LOSSES.name)
    return names


def _attach(program: int, path: Path) -> None:
    link = bpf_call(
        Command.LINK_CREATE,
        bytearray(struct.pack("=IIII", program, 0, _RAW_TP, 0)),
        f"attach {path.name}",
    )
    try:
        pin(link, path)
    finally:
        os.close(link)


def read_losses(losses: Map) -> dict[LossKey, int]:
    """Frames lost since the monitor was installed, by cause, summed over CPUs."""
    found = losses.items()
    values = struct.Struct(f"={losses.value_octets // 8}Q").iter_unpack(b"".join(found.values()))
    keys = map(LossKey._make, KEY.iter_unpack(b"".join(found)))
    return dict(zip(keys, map(sum, values), strict=True))
