"""Which BPF objects this kernel holds, by id: the part of bpf(2) that a residue check needs.

Called by `residue`. On purpose not the product's own system call layer: a check shares no code with
what it checks.
"""

import contextlib
import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass

# The number of the system call
SYSCALL = {"x86_64": 321, "aarch64": 280}[platform.machine()]
# enum bpf_cmd: next id, descriptor by id
COMMANDS = {"program": (11, 13), "map": (12, 14), "link": (31, 30)}
OBJ_GET_INFO_BY_FD = 15
# Where bpf_prog_info and bpf_map_info keep their names; a link has none.
NAME_OFFSET = {"program": 64, "map": 24}
# Programs that systemd attaches to cgroups when any service starts: bpf_prog_type CGROUP_*.
CGROUP_TYPES = frozenset({8, 9, 15, 18, 23, 25})

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, order=True)
class BpfObject:
    """`kind` is program, map or link; `type` the number of its bpf_*_type."""

    kind: str
    id: int
    type: int
    name: str

    def __str__(self) -> str:
        return f"BPF {self.kind} {self.id} (type {self.type}{self.name and ', ' + self.name})"


def objects() -> frozenset[BpfObject]:
    """All programs, maps and links, without the programs that guard cgroups."""
    return frozenset(
        found
        for kind in COMMANDS
        for number in _ids(kind)
        if (found := _describe(kind, number)) is not None
        and not (kind == "program" and found.type in CGROUP_TYPES)
    )


def _ids(kind: str) -> list[int]:
    found: list[int] = []
    while True:
        attr = ctypes.create_string_buffer(struct.pack("=III", found[-1] if found else 0, 0, 0), 12)
        if _bpf(COMMANDS[kind][0], attr) < 0:
            code = ctypes.get_errno()
            if code == errno.ENOENT:
                return found
            raise OSError(code, f"next {kind} id: {os.strerror(code)}")
        found.append(struct.unpack_from("=II", attr)[1])


def _describe(kind: str, number: int) -> BpfObject | None:
    attr = ctypes.create_string_buffer(struct.pack("=III", number, 0, 0), 12)
    fd = _bpf(COMMANDS[kind][1], attr)
    if fd < 0:
        # Freed between the two calls.
        return None
    info = ctypes.create_string_buffer(256)
    try:
        attr = ctypes.create_string_buffer(
            struct.pack("=IIQ", fd, len(info), ctypes.addressof(info)), 16
        )
        if _bpf(OBJ_GET_INFO_BY_FD, attr) < 0:
            return None
    finally:
        with contextlib.suppress(OSError):
            os.close(fd)
    offset = NAME_OFFSET.get(kind)
    name = info.raw[offset : offset + 16].split(b"\0")[0].decode() if offset else ""
    return BpfObject(kind, number, struct.unpack_from("=I", info)[0], name)


def _bpf(command: int, attr: ctypes.Array[ctypes.c_char]) -> int:
    return int(_libc.syscall(SYSCALL, command, attr, len(attr)))
