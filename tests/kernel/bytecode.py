"""XDP programs of a few instructions, for tests about interfaces and not about rules."""

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from tests.kernel.lab import Host, Port
from xdpredirect.kernel.bpf import Command, address_of, bpf_call, pin
from xdpredirect.kernel.programs import AttachType, create_link, load_program

_SCHED_CLS = 3
_REDIRECT, _REDIRECT_MAP, _VLAN_PUSH = 23, 51, 18
_MOV_IMM, _MOV_REG, _CALL, _EXIT, _LD_IMM64 = 0xB7, 0xBF, 0x85, 0x95, 0x18
_LOAD_W, _LOAD_B, _ADD_IMM, _JUMP_GREATER = 0x61, 0x71, 0x07, 0x2D
_PSEUDO_MAP_FD = 1
XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT = range(5)


def _instruction(
    opcode: int, register: int = 0, immediate: int = 0, source: int = 0, offset: int = 0
) -> bytes:
    return struct.pack("=BBhi", opcode, source << 4 | register, offset, immediate)


def verdict(code: int) -> bytes:
    """Every frame gets the same verdict."""
    return _instruction(_MOV_IMM, 0, code) + _instruction(_EXIT)


def redirect_map(fd: int, key: int = 0, flags: int = 0) -> bytes:
    """Every frame goes where entry `key` of an open map leads; the program returns what the helper
    returned. `flags` are those of bpf_redirect_map()."""
    return (
        _instruction(_LD_IMM64, 1, fd, _PSEUDO_MAP_FD)
        + _instruction(0)
        + _instruction(_MOV_IMM, 2, key)
        + _instruction(_MOV_IMM, 3, flags)
        + _instruction(_CALL, immediate=_REDIRECT_MAP)
        + _instruction(_EXIT)
    )


def redirect_map_by_octet(fd: int, offset: int) -> bytes:
    """Every frame goes where the entry leads whose key is the octet at `offset` of the frame."""
    return (
        _instruction(_LOAD_W, 2, source=1)
        + _instruction(_LOAD_W, 3, source=1, offset=4)
        + _instruction(_MOV_REG, 4, source=2)
        + _instruction(_ADD_IMM, 4, offset + 1)
        + _instruction(_JUMP_GREATER, 4, source=3, offset=6)
        + _instruction(_LOAD_B, 2, source=2, offset=offset)
        + _instruction(_LD_IMM64, 1, fd, _PSEUDO_MAP_FD)
        + _instruction(0)
        + _instruction(_MOV_IMM, 3, 0)
        + _instruction(_CALL, immediate=_REDIRECT_MAP)
        + _instruction(_EXIT)
        + _instruction(_MOV_IMM, 0, XDP_DROP)
        + _instruction(_EXIT)
    )


def redirect_to(ifindex: int, flags: int = 0) -> bytes:
    """Every frame goes to one device."""
    return (
        _instruction(_MOV_IMM, 1, ifindex)
        + _instruction(_MOV_IMM, 2, flags)
        + _instruction(_CALL, immediate=_REDIRECT)
        + _instruction(_EXIT)
    )


@contextlib.contextmanager
def attached(
    port: Port, code: bytes, *, generic: bool = False, frags: bool = False
) -> Iterator[None]:
    """The program runs on `port` until the end."""
    program = load_program("test", code, AttachType.XDP, frags)
    try:
        with port.host.enter():
            link = create_link(program, port.ifindex, generic)
    finally:
        os.close(program)
    try:
        yield
    finally:
        os.close(link)


def tag_on_transmit(host: Host, ifname: str, vlan: int) -> None:
    """Whatever the stack sends through `ifname` gets a VLAN tag as a VLAN device would give it:
    beside the frame, for the driver to insert. The kernel of a test machine may lack VLAN devices.
    """
    protocol = socket.htons(0x8100)
    code = (
        _instruction(_MOV_IMM, 2, protocol)
        + _instruction(_MOV_IMM, 3, vlan)
        + _instruction(_CALL, immediate=_VLAN_PUSH)
        + _instruction(_MOV_IMM, 0, 0)
        + _instruction(_EXIT)
    )
    buffer = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "=IIQQ", _SCHED_CLS, len(code) // 8, address_of(buffer), address_of(licence)
    )
    program = bpf_call(Command.PROG_LOAD, bytearray(attributes), "load the tagger")
    path: Path = host.bpffs / "tagger"
    try:
        pin(program, path)
    finally:
        os.close(program)
    try:
        host.run(["tc", "qdisc", "add", "dev", ifname, "clsact"])
        host.run(["tc", "filter", "add", "dev", ifname, "egress", "bpf", "da", "pinned", str(path)])
    finally:
        path.unlink()
