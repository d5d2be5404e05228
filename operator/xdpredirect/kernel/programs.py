"""BPF programs: loading, test runs, and attachment to interfaces by bpf_link or netlink.

Called by `agent.act`. Source for the numbers: include/uapi/linux/{bpf,if_link}.h.
"""

import ctypes
import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from xdpredirect.errors import KernelError, VerifierError
from xdpredirect.kernel.bpf import ENOENT, Command, address_of, bpf_call, object_info, open_pin

PROG_TYPE_XDP = 6
PROG_TYPE_TRACING = 26
_TRACE_RAW_TP = 23
HAS_FRAGS = 1 << 5
TEST_RUN_LIVE_FRAMES = 2
XDP_FLAGS_SKB = 2
XDP_FLAGS_DRV = 4
_REPLACE = 4
_LOG_SIZE = 16 << 20


class AttachType(IntEnum):
    """expected_attach_type of the three kinds of XDP program. The same value is given to every
    version of a program: BPF_LINK_UPDATE refuses a change of it."""

    DEVMAP = 33
    CPUMAP = 35
    XDP = 37


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """`ifindex` is 0 when the device is gone."""

    id: int
    prog_id: int
    ifindex: int


@dataclass(frozen=True, slots=True)
class _Kind:
    """What BPF_PROG_LOAD wants to know beside the instructions."""

    type: int
    attach_type: int
    flags: int = 0
    btf_id: int = 0


def load_program(name: str, instructions: bytes, attach_type: AttachType, frags: bool) -> int:
    """Load an XDP program and return its descriptor. Raises VerifierError."""
    kind = _Kind(PROG_TYPE_XDP, attach_type, flags=HAS_FRAGS if frags else 0)
    return _load(name, instructions, kind)


def load_traced(name: str, instructions: bytes, btf_id: int) -> int:
    """Load a program for the tracepoint whose BTF typedef is `btf_id`. Raises VerifierError."""
    return _load(name, instructions, _Kind(PROG_TYPE_TRACING, _TRACE_RAW_TP, btf_id=btf_id))


def _load(name: str, instructions: bytes, kind: _Kind) -> int:
    """The verifier's log is asked for only after a refusal: success costs neither time nor the
    memory for it, which an allocator would keep."""
    try:
        return _try_load(name, instructions, kind, None)
    except KernelError:
        log = ctypes.create_string_buffer(_LOG_SIZE)
        try:
            return _try_load(name, instructions, kind, log)
        except KernelError as error:
            words = log.value.decode(errors="replace")
            raise VerifierError(name, error.errno, words) from error


def _try_load(
    name: str, instructions: bytes, kind: _Kind, log: ctypes.Array[ctypes.c_char] | None
) -> int:
    code = ctypes.create_string_buffer(instructions, len(instructions))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = bytearray(
        struct.pack(
            "=IIQQIIQII16sIIIIQIIQII",
            *(kind.type, len(instructions) // 8, address_of(code), address_of(licence)),
            *(1 if log else 0, _LOG_SIZE if log else 0, address_of(log) if log else 0),
            *(0, kind.flags, name.encode()[:15], 0, kind.attach_type),
            *(0, 0, 0, 0, 0, 0, 0, kind.btf_id),
        )
    )
    return bpf_call(Command.PROG_LOAD, attributes, f"load {name}")


def create_link(prog_fd: int, ifindex: int, generic: bool) -> int:
    """Attach a program through a bpf_link (Linux 5.9); the descriptor holds it. KernelError."""
    flags = XDP_FLAGS_SKB if generic else XDP_FLAGS_DRV
    attributes = bytearray(struct.pack("=IIII", prog_fd, ifindex, AttachType.XDP, flags))
    return bpf_call(Command.LINK_CREATE, attributes, f"attach to ifindex {ifindex}")


def update_link(link: Path, prog_fd: int) -> None:
    """Swap the program of a pinned link without a gap. Raises KernelError."""
    link_fd = open_pin(link)
    try:
        attributes = bytearray(struct.pack("=III", link_fd, prog_fd, 0))
        bpf_call(Command.LINK_UPDATE, attributes, f"update {link}")
    finally:
        os.close(link_fd)


def detach_link(link: Path) -> None:
    """Take the program of a pinned link off its device before this returns. Raises KernelError.

    Removing the pin alone leaves that to a kernel worker, and whoever attaches next may still meet
    the old link (EEXIST). Source: kernel/bpf/syscall.c bpf_link_put.
    """
    link_fd = open_pin(link)
    try:
        bpf_call(Command.LINK_DETACH, bytearray(struct.pack("=I", link_fd)), f"detach {link}")
    finally:
        os.close(link_fd)


def link_info(fd: int) -> LinkInfo:
    """What a bpf_link holds. Shape: struct bpf_link_info, xdp member."""
    info = object_info(fd, 32)
    _, link_id, prog_id = struct.unpack_from("=III", info)
    (ifindex,) = struct.unpack_from("=I", info, 16)
    return LinkInfo(link_id, prog_id, ifindex)


def pinned_link(path: Path) -> LinkInfo | None:
    """What the bpf_link of this pin holds; None without one. Raises KernelError."""
    try:
        fd = open_pin(path)
    except KernelError as error:
        if error.errno == ENOENT:
            return None
        raise
    try:
        return link_info(fd)
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class TestRun:
    """Verdict, frame and nanoseconds per run."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    verdict: int
    frame: bytes
    nanoseconds: int


def run_program(
    prog_fd: int, frame: bytes, *, repeat: int = 1, ifindex: int = 0, rx_queue: int = 0
) -> TestRun:
    """BPF_PROG_TEST_RUN of one frame (at least 14 octets) as if it arrived on `ifindex`.

    Source: Documentation/bpf/bpf_prog_run.rst. Raises KernelError.
    """
    data_in = ctypes.create_string_buffer(frame, len(frame))
    data_out = ctypes.create_string_buffer(len(frame) + 256)
    context = b""
    if ifindex or rx_queue:
        context = struct.pack("=IIIIII", 0, len(frame), 0, ifindex, rx_queue, 0)
    context_in = ctypes.create_string_buffer(context, max(len(context), 1))
    attributes = bytearray(
        struct.pack(
            "=IIIIQQIIIIQQIII",
            *(prog_fd, 0, len(frame), len(data_out), address_of(data_in), address_of(data_out)),
            *(repeat, 0, len(context), 0, address_of(context_in) if context else 0, 0, 0, 0, 0),
        )
    )
    bpf_call(Command.PROG_TEST_RUN, attributes, "test run")
    verdict, _, size = struct.unpack_from("=III", attributes, 4)
    (duration,) = struct.unpack_from("=I", attributes, 36)
    return TestRun(verdict, data_out.raw[:size], duration)
