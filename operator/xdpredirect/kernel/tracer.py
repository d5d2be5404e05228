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
SLOT = struct.Struct("=QIIIIIII4x")
SLOTS = MapSpec("slots", MapType.PERCPU_ARRAY, 4, SLOT.size, 64)
"""Counts of causes that were the first to come to a slot; all others are in LOSSES."""
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
_LOSSES_NUMBER, _OVERFLOW_NUMBER, _SLOTS_NUMBER = 1, 2, 3
_RAW_TP = 23
_CAST = "bpf_rdonly_cast"
_CAST_NUMBER = 0x7F00
"""Stands for the kernel function in compiled code until it is loaded."""
_CALL, _PSEUDO_KFUNC_CALL = 0x85, 2


def config(btf: Btf, netns: int | None) -> str:
    """config.h of the drop monitor. `netns` None counts the events of every namespace."""
    defines = {
        "MAP_LOSSES": MAP_NUMBER_BASE + _LOSSES_NUMBER,
        "MAP_OVERFLOW": MAP_NUMBER_BASE + _OVERFLOW_NUMBER,
        "MAP_SLOTS": MAP_NUMBER_BASE + _SLOTS_NUMBER,
        "LOSS_SLOTS": SLOTS.max_entries,
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
    if btf.function(_CAST) is not None:
        defines["DTAB_NETDEV"] = btf.structure("bpf_dtab_netdev")
        defines["KFUNC_RDONLY_CAST"] = _CAST_NUMBER
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
    with (
        create_map(LOSSES) as losses,
        create_map(OVERFLOW) as overflow,
        create_map(SLOTS) as slots,
    ):
        fds = {
            _LOSSES_NUMBER: losses.fd,
            _OVERFLOW_NUMBER: overflow.fd,
            _SLOTS_NUMBER: slots.fd,
        }
        for name in names:
            ready = name_kfunc(relocate(code[name], fds), btf.function(_CAST))
            program = load_traced(name, ready, there[name])
            try:
                _attach(program, directory / f"link-{name}")
            finally:
                os.close(program)
        pin(overflow.fd, directory / OVERFLOW.name)
        pin(slots.fd, directory / SLOTS.name)
        pin(losses.fd, directory / LOSSES.name)
    return names


def name_kfunc(instructions: bytes, function: int | None) -> bytes:
    """Turn calls of _CAST_NUMBER into calls of the kernel function with that BTF id.

    Source: BPF_PSEUDO_KFUNC_CALL of include/uapi/linux/bpf.h.
    """
    patched = bytearray(instructions)
    for offset in range(0, len(patched), 8):
        call = patched[offset] == _CALL
        if call and struct.unpack_from("=i", patched, offset + 4)[0] == _CAST_NUMBER:
            patched[offset + 1] = _PSEUDO_KFUNC_CALL << 4
            struct.pack_into("=i", patched, offset + 4, function or 0)
    return bytes(patched)


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


def read_losses(losses: Map, slots: Map) -> dict[LossKey, int]:
    """Frames lost since the monitor was installed, by cause, summed over CPUs."""
    packed_keys, packed_values = losses.packed_items()
    values = struct.Struct(f"={losses.value_octets // 8}Q").iter_unpack(packed_values)
    keys = map(LossKey._make, KEY.iter_unpack(packed_keys))
    found = dict(zip(keys, map(sum, values), strict=True))
    for packets, *fields in SLOT.iter_unpack(slots.packed_items()[1]):
        if packets:
            key = LossKey._make(fields)
            found[key] = found.get(key, 0) + packets
    return found
