"""XDP programs of a few instructions: the yardstick, the sink and the source of the benchmarks.

`redirect_map` is what any redirect costs at least. `scrambled` changes the source address of the
frame before each run of another program: BPF_PROG_TEST_RUN repeats one frame, and a frame whose
address was just looked up says nothing about the next one.
"""

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator

from xdpredirect.datapath.abi import PAIR, U32, U64
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.kernel.bpf import Command, address_of, bpf_call
from xdpredirect.kernel.maps import Map, create_map
from xdpredirect.kernel.programs import TEST_RUN_LIVE_FRAMES, AttachType, load_program

LOOKUP, TAIL_CALL, REDIRECT, REDIRECT_MAP = 1, 12, 23, 51
XDP_ABORTED, XDP_DROP = 0, 1
_LOAD_DW, _LOAD_W, _STORE_W, _STORE_IMM_W = 0x79, 0x61, 0x63, 0x62
_MOV, _MOV_IMM, _ADD_IMM, _AND_IMM, _AND32_IMM = 0xBF, 0xB7, 0x07, 0x57, 0x54
_CALL, _EXIT, _LD_IMM64, _JGT, _JEQ_IMM = 0x85, 0x95, 0x18, 0x2D, 0x15
_STORE_DW, _LSH_IMM, _RSH_IMM, _ADD = 0x7B, 0x67, 0x77, 0x0F
_PROG_ARRAY = 3
BATCH = 64
# Ethernet header, then saddr of the IPv4 header.
SOURCE_OFFSET = 14 + 12


def _i(opcode: int, to: int = 0, source: int = 0, offset: int = 0, number: int = 0) -> bytes:
    return struct.pack("=BBhi", opcode, source << 4 | to, offset, number)


def _map(register: int, fd: int) -> bytes:
    return _i(_LD_IMM64, register, 1, number=fd) + _i(0)


@contextlib.contextmanager
def program(code: bytes, *, frags: bool = True) -> Iterator[int]:
    """A loaded XDP program; the descriptor."""
    fd = load_program("bench", code, AttachType.XDP, frags)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def redirect_map(ifindex: int = 1, *, frags: bool = True) -> Iterator[int]:
    """Six instructions: every frame to entry 0 of a DEVMAP."""
    with create_map(MapSpec("bare", MapType.DEVMAP, 4, 8, 8)) as devices:
        devices.put(U32.pack(0), PAIR.pack(ifindex, 0))
        code = (
            _map(1, devices.fd) + _i(_MOV_IMM, 2) + _i(_MOV_IMM, 3) + _i(_CALL, number=REDIRECT_MAP)
        )
        with program(code + _i(_EXIT), frags=frags) as fd:
            yield fd


@contextlib.contextmanager
def sink() -> Iterator[tuple[int, Map]]:
    """Counts frames in a per-CPU array and drops them: descriptor and map."""
    with create_map(MapSpec("sink", MapType.PERCPU_ARRAY, 4, 8, 1)) as counted:
        code = (
            _i(_STORE_IMM_W, 10, offset=-4) + _i(_MOV, 2, 10) + _i(_ADD_IMM, 2, number=-4)
            + _map(1, counted.fd) + _i(_CALL, number=LOOKUP) + _i(_JEQ_IMM, 0, offset=3)
            + _i(_LOAD_DW, 1, 0) + _i(_ADD_IMM, 1, number=1) + _i(_STORE_DW, 0, 1)
            + _i(_MOV_IMM, 0, number=XDP_DROP) + _i(_EXIT)
        )  # fmt: skip
        with program(code) as fd:
            yield fd, counted


def counted(sunk: Map) -> int:
    """Frames that a sink has seen, on all CPUs."""
    value = sunk.get(U32.pack(0)) or b""
    return sum(number for (number,) in U64.iter_unpack(value))


@contextlib.contextmanager
def redirect_to(ifindex: int) -> Iterator[int]:
    """The source: every frame that BPF_PROG_TEST_RUN makes leaves through one device."""
    code = _i(_MOV_IMM, 1, number=ifindex) + _i(_MOV_IMM, 2) + _i(_CALL, number=REDIRECT)
    with program(code + _i(_EXIT)) as fd:
        yield fd


@contextlib.contextmanager
def scrambled(target: int, addresses: list[bytes]) -> Iterator[int]:
    """Before each run of `target` the next of `addresses` (IPv4, a power of two of them) becomes
    the source of the frame. The two halves meet by a tail call; subtract that of a bare program."""
    size = len(addresses)
    assert size & (size - 1) == 0
    with (
        create_map(MapSpec("sources", MapType.ARRAY, 4, 4, size)) as sources,
        create_map(MapSpec("position", MapType.ARRAY, 4, 4, 1)) as position,
        _jump_table(target) as jump,
    ):
        sources.put_all({U32.pack(n): address for n, address in enumerate(addresses)})
        code = (
            _i(_MOV, 6, 1) + _i(_LOAD_W, 7, 1) + _i(_LOAD_W, 8, 1, 4)
            + _i(_MOV, 1, 7) + _i(_ADD_IMM, 1, number=SOURCE_OFFSET + 4) + _i(_JGT, 1, 8, 20)
            + _i(_STORE_IMM_W, 10, offset=-4) + _i(_MOV, 2, 10) + _i(_ADD_IMM, 2, number=-4)
            + _map(1, position.fd) + _i(_CALL, number=LOOKUP) + _i(_JEQ_IMM, 0, offset=13)
            + _i(_LOAD_W, 1, 0) + _i(_ADD_IMM, 1, number=1) + _i(_STORE_W, 0, 1)
            + _i(_AND_IMM, 1, number=size - 1) + _i(_STORE_W, 10, 1, -4)
            + _i(_MOV, 2, 10) + _i(_ADD_IMM, 2, number=-4)
            + _map(1, sources.fd) + _i(_CALL, number=LOOKUP) + _i(_JEQ_IMM, 0, offset=2)
            + _i(_LOAD_W, 1, 0) + _i(_STORE_W, 7, 1, SOURCE_OFFSET)
            + _i(_MOV, 1, 6) + _map(2, jump) + _i(_MOV_IMM, 3) + _i(_CALL, number=TAIL_CALL)
            + _i(_MOV_IMM, 0, number=XDP_ABORTED) + _i(_EXIT)
        )  # fmt: skip
        with program(code) as fd:
            yield fd


@contextlib.contextmanager
def _jump_table(target: int) -> Iterator[int]:
    shape = struct.pack("=IIIII", _PROG_ARRAY, 4, 4, 1, 0)
    fd = bpf_call(Command.MAP_CREATE, bytearray(shape), "create the jump table")
    try:
        _put(fd, 0, target)
        yield fd
    finally:
        os.close(fd)


def _put(fd: int, key: int, value: int) -> None:
    keys, values = (ctypes.create_string_buffer(U32.pack(number)) for number in (key, value))
    attributes = struct.pack("=IIQQQ", fd, 0, ctypes.addressof(keys), ctypes.addressof(values), 0)
    bpf_call(Command.MAP_UPDATE_ELEM, bytearray(attributes), "fill the jump table")


def send(fd: int, frame: bytes, count: int) -> None:
    """`count` real frames through a program of the calling thread's namespace, 64 at a time.

    Source: Documentation/bpf/bpf_prog_run.rst, "Running XDP programs in live frame mode".
    """
    data = ctypes.create_string_buffer(frame, len(frame))
    context = ctypes.create_string_buffer(struct.pack("=IIIIII", 0, len(frame), 0, 0, 0, 0))
    attributes = struct.pack(
        "=IIIIQQIIIIQQIII",
        *(fd, 0, len(frame), 0, address_of(data), 0, count, 0, 24, 0),
        *(address_of(context), 0, TEST_RUN_LIVE_FRAMES, 0, BATCH),
    )
    bpf_call(Command.PROG_TEST_RUN, bytearray(attributes), "send")
