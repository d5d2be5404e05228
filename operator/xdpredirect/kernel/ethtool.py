"""Driver, offloads, channels and RSS of a device, by the SIOCETHTOOL ioctl.

Called by `kernel.host` for every link on every pass, and by `kernel.prepare` to change a setting.
The ioctl rather than sysfs: the sysfs of a network namespace is often not mounted.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
from types import TracebackType
from typing import NamedTuple, Self

from xdpredirect.errors import KernelError

_SIOCETHTOOL = 0x8946
_GDRVINFO, _GSTRINGS, _GSSET_INFO, _GRXFHINDIR = 0x03, 0x1B, 0x37, 0x38
_GFEATURES, _SFEATURES, _GCHANNELS = 0x3A, 0x3B, 0x3C
_SS_FEATURES = 4
_STRING = 32
_BLOCK = struct.Struct("=IIII")  # available, requested, active, never changed
# ENODEV: the link went away after the dump; the others: the driver does not offer it.
_ABSENT = (errno.EOPNOTSUPP, errno.ENODEV, errno.EINVAL, errno.ENOENT)

# The offloads that some check or repair reads; the other fifty cost memory on every link.
OFFLOADS = (
    "rx-checksum",
    "rx-gro",
    "rx-gro-hw",
    "rx-lro",
    "rx-vlan-hw-parse",
    "rx-vlan-stag-hw-parse",
    "tx-checksum-ip-generic",
    "tx-checksum-ipv4",
    "tx-checksum-ipv6",
    "tx-generic-segmentation",
    "tx-tcp-segmentation",
    "tx-tcp6-segmentation",
    "tx-udp-segmentation",
    "tx-vlan-hw-insert",
    "tx-vlan-stag-hw-insert",
)


class DriverInfo(NamedTuple):
    """`bus` is the bus address (0000:00:03.0 for PCI); both empty where there is none."""

    driver: str = ""
    bus: str = ""


class Ethtool:
    """One socket for many devices of the calling thread's network namespace.

    Use it in a `with` statement. What a driver does not offer comes back empty or None; other
    failures raise KernelError.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._positions: dict[str, int] = {}
        self._blocks = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def driver(self, name: str) -> DriverInfo:
        """Driver name and bus address."""
        # cmd, driver[32], version[32], firmware[32], bus[32], erom[32], reserved[12], 5 counts
        data = self._call(name, struct.pack("=I192x", _GDRVINFO))
        return DriverInfo(_text(data[4:36]), _text(data[100:132])) if data else DriverInfo()

    def offloads(self, name: str) -> dict[str, bool]:
        """Of OFFLOADS those that the kernel knows, and whether each is active."""
        blocks = self._features(name)
        return {
            offload: bool(blocks[bit // 32][2] >> bit % 32 & 1)
            for offload, bit in self._positions.items()
            if blocks and offload in OFFLOADS
        }

    def set_offload(self, name: str, offload: str, on: bool) -> bool:
        """Asks for an offload; whether the device then has it as asked. Raises KernelError."""
        self._features(name)
        bit = self._positions.get(offload)
        if bit is None:
            raise KernelError(f"set {offload} of {name}", errno.EOPNOTSUPP)
        mask = [1 << bit % 32 if bit // 32 == block else 0 for block in range(self._blocks)]
        body = b"".join(struct.pack("=II", m, m if on else 0) for m in mask)
        request = struct.pack("=II", _SFEATURES, self._blocks) + body
        self._call(name, request, f"set {offload} of {name}")
        return self.offloads(name).get(offload) is on

    def channels(self, name: str) -> tuple[int, int] | None:
        """Receive and transmit channels in use; combined ones count for both."""
        data = self._call(name, struct.pack("=I32x", _GCHANNELS))
        if not data:
            return None
        rx, tx, _, combined = struct.unpack_from("=4I", data, 20)
        return rx + combined, tx + combined

    def rss_queues(self, name: str) -> tuple[int, ...]:
        """The queues that the RSS indirection table names, sorted; empty without RSS."""
        head = self._call(name, struct.pack("=II", _GRXFHINDIR, 0))
        size = struct.unpack_from("=I", head, 4)[0] if head else 0
        if not size:
            return ()
        data = self._call(name, struct.pack(f"=II{4 * size}x", _GRXFHINDIR, size))
        return tuple(sorted(set(struct.unpack_from(f"={size}I", data, 8)))) if data else ()

    def _features(self, name: str) -> list[tuple[int, int, int, int]]:
        """One entry per 32 offloads; the names of the bits are the same for every device."""
        if not self._positions:
            self._positions = self._names(name)
            self._blocks = (max(self._positions.values(), default=-1) + 32) // 32
        if not self._blocks:
            return []
        size = _BLOCK.size * self._blocks
        data = self._call(name, struct.pack(f"=II{size}x", _GFEATURES, self._blocks))
        return list(_BLOCK.iter_unpack(data[8:])) if data else []

    def _names(self, name: str) -> dict[str, int]:
        """Offload name to bit; empty when the device that was asked went away."""
        head = self._call(name, struct.pack("=IIQI", _GSSET_INFO, 0, 1 << _SS_FEATURES, 0))
        count = struct.unpack_from("=I", head, 16)[0] if head else 0
        size = count * _STRING
        request = struct.pack(f"=III{size}x", _GSTRINGS, _SS_FEATURES, count)
        data = self._call(name, request) if count else b""
        if not data:
            return {}
        # A bit without a name is one that this kernel does not use.
        names = (_text(data[12 + i * _STRING : 12 + (i + 1) * _STRING]) for i in range(count))
        return {offload: bit for bit, offload in enumerate(names) if offload}

    def _call(self, name: str, request: bytes, operation: str = "") -> bytes:
        """The structure as the kernel left it; empty when the device does not offer the command,
        unless `operation` says in words what it is that must not fail."""
        buffer = ctypes.create_string_buffer(request, len(request))
        ifreq = struct.pack("16sP", os.fsencode(name), ctypes.addressof(buffer)) + bytes(16)
        try:
            fcntl.ioctl(self._socket, _SIOCETHTOOL, ifreq)
        except OSError as error:
            if error.errno in _ABSENT and not operation:
                return b""
            raise KernelError(
                operation or f"read settings of {name}", error.errno or errno.EIO
            ) from error
        return buffer.raw


def _text(field: bytes) -> str:
    return os.fsdecode(field.split(b"\0", 1)[0])
