"""Layout of what crosses to the programs: the other side of bpf/abi.h, as bytes.

Integers are in the machine's order, addresses in network order.
"""

import struct
from collections.abc import Iterable
from enum import IntEnum, IntFlag
from typing import NamedTuple

from xdpredirect.api.action import Rewrite, VlanOperation
from xdpredirect.api.match import Prefix

COUNTER = struct.Struct("=QQQQ")
REWRITE = struct.Struct("=6s6sHH")
U32 = struct.Struct("=I")
U64 = struct.Struct("=Q")
PAIR = struct.Struct("=II")
COUNTER_SLOTS = 512
FIRST_RULE_SLOT = 8
LOCAL_WORDS = 64
_K1, _K2 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F


class Slot(IntEnum):
    """Counter slots that are not rules."""

    UNMATCHED = 0
    PROTECTED = 1
    MALFORMED = 2


class Event(IntEnum):
    """Where the drop monitor saw a frame go; the names are those of the kernel's tracepoints.
    UNLISTED: at any of them, when its map had no room for one more key."""

    REDIRECT_ERR = 1
    EXCEPTION = 2
    DEVMAP_XMIT = 3
    BULK_TX = 4
    CPUMAP_ENQUEUE = 5
    CPUMAP_KTHREAD = 6
    CPUMAP_PROGRAM = 7
    UNLISTED = 8


class LossKey(NamedTuple):
    """struct loss_key of bpf/abi.h. A tuple, for thousands are read and looked up at a time."""

    event: int
    program: int
    map: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls
    origin: int
    to: int
    error: int


class RewriteFlag(IntFlag):
    """`flags` of struct rewrite."""

    DESTINATION = 1
    SOURCE = 2
    SWAP = 4
    PUSH = 8
    POP = 16
    REPLACE = 32


_VLAN_FLAG = {
    VlanOperation.PUSH: RewriteFlag.PUSH,
    VlanOperation.POP: RewriteFlag.POP,
    VlanOperation.REPLACE: RewriteFlag.REPLACE,
}


def pack_rewrite(rewrite: Rewrite | None, device_mac: bytes) -> bytes:
    """Struct rewrite. A new destination without a new source takes the device's own address."""
    if rewrite is None:
        return bytes(REWRITE.size)
    flags = RewriteFlag(0)
    destination, source = rewrite.destination_mac, rewrite.source_mac
    if destination and not source and len(device_mac) == 6:
        source = device_mac
    if destination:
        flags |= RewriteFlag.DESTINATION
    if source:
        flags |= RewriteFlag.SOURCE
    if rewrite.swap_macs:
        flags |= RewriteFlag.SWAP
    vid = 0
    if rewrite.vlan:
        flags |= _VLAN_FLAG[rewrite.vlan.operation]
        vid = rewrite.vlan.id or 0
    return REWRITE.pack(destination or bytes(6), source or bytes(6), vid, flags)


def lpm_key(prefix: Prefix) -> bytes:
    """Struct lpm4_key or lpm6_key."""
    return U32.pack(prefix.length) + prefix.address


def local_key(address: bytes) -> bytes:
    """Key of the map of local addresses: 16 octets, then the family."""
    return address.ljust(16, b"\0") + U32.pack(4 if len(address) == 4 else 6)


def local_bits(addresses: Iterable[bytes]) -> dict[bytes, bytes]:
    """Filter in front of the map of local addresses: word index -> 64 bits, one set for each
    address by its hash, as bpf/protect.h reads them."""
    words: dict[int, int] = {}
    for address in addresses:
        high, low = struct.unpack(">QQ", address.ljust(16, b"\0"))
        hashed = (high ^ low * _K2) * _K1 & 0xFFFFFFFFFFFFFFFF
        words[hashed >> 58] = words.get(hashed >> 58, 0) | 1 << (hashed >> 52 & 63)
    return {U32.pack(word): U64.pack(bits) for word, bits in words.items()}


def align8(size: int) -> int:
    """`size` rounded up to what a structure with 64-bit members occupies."""
    return -(-size // 8) * 8
