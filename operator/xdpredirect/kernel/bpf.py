"""The bpf(2) system call: one function, the command numbers and the object informations.

Everything else in `kernel` that talks BPF goes through `bpf_call`. Numbers and layouts are those of
include/uapi/linux/bpf.h.
"""

import ctypes
import os
import platform
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from xdpredirect.errors import KernelError

ENOENT = 2
_ATTRIBUTE_SIZE = 144
_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_libc = ctypes.CDLL(None, use_errno=True)


class Command(IntEnum):
    """enum bpf_cmd."""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    MAP_GET_NEXT_KEY = 4
    PROG_LOAD = 5
    OBJ_PIN = 6
    OBJ_GET = 7
    PROG_TEST_RUN = 10
    PROG_GET_FD_BY_ID = 13
    MAP_GET_FD_BY_ID = 14
    OBJ_GET_INFO_BY_FD = 15
    MAP_LOOKUP_BATCH = 24
    MAP_UPDATE_BATCH = 26
    MAP_DELETE_BATCH = 27
    LINK_CREATE = 28
    LINK_UPDATE = 29
    LINK_DETACH = 34


def bpf_call(command: Command, attributes: bytearray, operation: str) -> int:
    """Call bpf(2); the kernel may write into `attributes`. Raises KernelError.

    `operation` says in words what is tried; it opens the error message.
    """
    attributes.extend(bytes(_ATTRIBUTE_SIZE - len(attributes)))
    buffer = (ctypes.c_char * _ATTRIBUTE_SIZE).from_buffer(attributes)
    number = _SYSCALL[platform.machine()]
    result = int(_libc.syscall(number, int(command), buffer, _ATTRIBUTE_SIZE))
    if result < 0:
        raise KernelError(operation, ctypes.get_errno())
    return result


def address_of(buffer: ctypes.Array[ctypes.c_char]) -> int:
    """Address of a ctypes buffer, for the 64-bit pointers inside attributes."""
    return ctypes.addressof(buffer)


def pin(fd: int, path: Path) -> None:
    """Give a BPF object a name in bpffs. Raises KernelError."""
    name = ctypes.create_string_buffer(os.fsencode(path))
    bpf_call(Command.OBJ_PIN, bytearray(struct.pack("=QI", address_of(name), fd)), f"pin {path}")


def open_pin(path: Path) -> int:
    """File descriptor of a pinned object; the caller closes it. Raises KernelError."""
    name = ctypes.create_string_buffer(os.fsencode(path))
    return bpf_call(Command.OBJ_GET, bytearray(struct.pack("=Q", address_of(name))), f"open {path}")


def object_info(fd: int, size: int) -> bytes:
    """The first `size` octets of struct bpf_{prog,map,link}_info. Raises KernelError."""
    info = ctypes.create_string_buffer(size)
    attributes = bytearray(struct.pack("=IIQ", fd, size, address_of(info)))
    bpf_call(Command.OBJ_GET_INFO_BY_FD, attributes, "read object information")
    return info.raw


@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """`name` has at most 15 characters."""

    id: int
    name: str


def program_info(fd: int) -> ProgramInfo:
    """Id and name of a program."""
    info = object_info(fd, 80)
    (prog_id,) = struct.unpack_from("=I", info, 4)
    return ProgramInfo(prog_id, info[64:80].split(b"\0")[0].decode())


def foreign_program_name(prog_id: int) -> str:
    """Name of any program of the machine, or "" without CAP_SYS_ADMIN."""
    try:
        fd = bpf_call(
            Command.PROG_GET_FD_BY_ID, bytearray(struct.pack("=I", prog_id)), "open program"
        )
    except KernelError:
        return ""
    try:
        return program_info(fd).name
    finally:
        os.close(fd)
