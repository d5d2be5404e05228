"""BPF maps: creation, single entries and batches.

Called by `agent.observe` and `agent.act`. Keys and values are bytes as abi.py packs them. Which
map types take batches was measured: DEVMAP, DEVMAP_HASH and CPUMAP answer ENOTSUPP.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.errors import KernelError
from xdpredirect.kernel.bpf import (
    ENOENT,
    Command,
    address_of,
    bpf_call,
    object_info,
    open_pin,
)

_BATCH, _NOEXIST = 4096, 1
_BATCHED = {MapType.HASH, MapType.LPM_TRIE, MapType.ARRAY}


def possible_cpus() -> int:
    """Number of per-CPU values in a per-CPU map (cpu_possible_mask)."""
    text = Path("/sys/devices/system/cpu/possible").read_text().strip()
    return int(text.split("-")[-1].split(",")[-1]) + 1


class Map:
    """An open map. Close it, or use it in a `with` statement."""

    def __init__(self, fd: int, spec: MapSpec) -> None:
        self.fd, self.spec = fd, spec
        per_cpu = spec.type in (MapType.PERCPU_ARRAY, MapType.PERCPU_HASH)
        size = -(-spec.value_size // 8) * 8 * possible_cpus() if per_cpu else spec.value_size
        self._key = ctypes.create_string_buffer(max(spec.key_size, 1))
        self._next = ctypes.create_string_buffer(max(spec.key_size, 1))
        self._value = ctypes.create_string_buffer(max(size, 1))
        self.value_octets = size

    def __enter__(self) -> "Map":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)

    def _element(self, flags: int = 0) -> bytearray:
        key, value = address_of(self._key), address_of(self._value)
        return bytearray(struct.pack("=IIQQQ", self.fd, 0, key, value, flags))

    def get(self, key: bytes) -> bytes | None:
        """Value of a key, None when there is none; per-CPU values one after the other."""
        self._key.raw = key
        try:
            bpf_call(Command.MAP_LOOKUP_ELEM, self._element(), f"read {self.spec.name}")
        except KernelError as error:
            if error.errno == ENOENT:
                return None
            raise
        return self._value.raw[: self.value_octets]

    def put(self, key: bytes, value: bytes, *, new: bool = False) -> None:
        """Write one entry; with `new` only where there is none (EEXIST). Raises KernelError."""
        self._key.raw = key
        self._value.raw = value
        attributes = self._element(_NOEXIST if new else 0)
        bpf_call(Command.MAP_UPDATE_ELEM, attributes, f"write {self.spec.name} {key.hex()}")

    def delete(self, key: bytes) -> None:
        """Remove one entry; one that is not there counts as removed."""
        self._key.raw = key
        # The kernel refuses a pointer to a value here (EINVAL), unlike in the other two commands.
        attributes = bytearray(struct.pack("=IIQ", self.fd, 0, address_of(self._key)))
        try:
            bpf_call(Command.MAP_DELETE_ELEM, attributes, f"delete from {self.spec.name}")
        except KernelError as error:
            if error.errno != ENOENT:
                raise

    def keys(self) -> Iterator[bytes]:
        """Every key; arrays yield all their indexes."""
        first = struct.pack("=IIQQ", self.fd, 0, 0, address_of(self._next))
        following = struct.pack("=IIQQ", self.fd, 0, address_of(self._key), address_of(self._next))
        attributes = bytearray(first)
        while True:
            try:
                bpf_call(Command.MAP_GET_NEXT_KEY, attributes, f"walk {self.spec.name}")
            except KernelError as error:
                if error.errno == ENOENT:
                    return
                raise
            key = self._next.raw[: self.spec.key_size]
            yield key
            self._key.raw = key
            attributes = bytearray(following)

    def items(self) -> dict[bytes, bytes]:
        """All entries, in batches where the map type has them."""
        if self.spec.type in (MapType.HASH, MapType.LPM_TRIE, MapType.PERCPU_HASH):
            return self._items_batched()
        found = {}
        for key in list(self.keys()):
            value = self.get(key)
            if value is not None:
                found[key] = value
        return found

    def _items_batched(self) -> dict[bytes, bytes]:
        keys, values = self.packed_items()
        key_size, value_size = self.spec.key_size, self.value_octets
        return {
            keys[i * key_size : (i + 1) * key_size]: values[i * value_size : (i + 1) * value_size]
            for i in range(len(keys) // key_size)
        }

    def packed_items(self) -> tuple[bytes, bytes]:
        """All keys and all values, each in one piece, of a map type that has batches. A key may be
        there twice when the map changes meanwhile; the later value is the newer one."""
        keys = ctypes.create_string_buffer(_BATCH * self.spec.key_size)
        values = ctypes.create_string_buffer(_BATCH * self.value_octets)
        cursor = ctypes.create_string_buffer(max(self.spec.key_size, 8))
        found: list[tuple[bytes, bytes]] = []
        start, finished = 0, False
        while not finished:
            attributes = bytearray(
                struct.pack(
                    "=QQQQIIQQ",
                    *(start, address_of(cursor), address_of(keys), address_of(values)),
                    *(_BATCH, self.fd, 0, 0),
                )
            )
            try:
                bpf_call(Command.MAP_LOOKUP_BATCH, attributes, f"read {self.spec.name}")
            except KernelError as error:
                if error.errno != ENOENT:
                    raise
                finished = True
            (count,) = struct.unpack_from("=I", attributes, 32)
            # `raw` copies the whole buffer, a view only what is in it.
            some_keys = bytes(memoryview(keys)[: count * self.spec.key_size])
            found.append((some_keys, bytes(memoryview(values)[: count * self.value_octets])))
            start = address_of(cursor)
        return b"".join(k for k, _ in found), b"".join(v for _, v in found)

    def put_all(self, entries: Mapping[bytes, bytes]) -> None:
        """Write many entries, in the order given."""
        if self.spec.type not in _BATCHED or len(entries) < 8:
            for key, value in entries.items():
                self.put(key, value)
            return
        keys, values = list(entries), list(entries.values())
        for start in range(0, len(keys), _BATCH):
            chunk = slice(start, start + _BATCH)
            self._batch(Command.MAP_UPDATE_BATCH, keys[chunk], values[chunk])

    def delete_all(self, keys: Sequence[bytes]) -> None:
        """Remove many entries that are there."""
        if self.spec.type not in (MapType.HASH, MapType.LPM_TRIE) or len(keys) < 8:
            for key in keys:
                self.delete(key)
            return
        for start in range(0, len(keys), _BATCH):
            chunk = keys[start : start + _BATCH]
            try:
                self._batch(Command.MAP_DELETE_BATCH, chunk, [])
            except KernelError as error:
                if error.errno not in (ENOENT, errno.EINVAL, 524):
                    raise
                for key in chunk:
                    self.delete(key)

    def _batch(self, command: Command, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        key_buffer = ctypes.create_string_buffer(b"".join(keys))
        value_buffer = ctypes.create_string_buffer(b"".join(values))
        attributes = bytearray(
            struct.pack(
                "=QQQQIIQQ",
                *(0, 0, address_of(key_buffer), address_of(value_buffer)),
                *(len(keys), self.fd, 0, 0),
            )
        )
        bpf_call(command, attributes, f"write {len(keys)} entries of {self.spec.name}")


def create_map(spec: MapSpec) -> Map:
    """Create a map; its name in the kernel is the first 15 characters of `spec.name`."""
    attributes = bytearray(
        struct.pack(
            "=IIIIIII16s",
            *(spec.type, spec.key_size, spec.value_size, spec.max_entries, spec.flags, 0, 0),
            spec.name.encode()[:15],
        )
    )
    return Map(bpf_call(Command.MAP_CREATE, attributes, f"create map {spec.name}"), spec)


def open_map(path: Path) -> Map:
    """Open a pinned map; its shape is read from the kernel."""
    fd = open_pin(path)
    try:
        return Map(fd, map_spec(fd))
    except BaseException:
        os.close(fd)
        raise


def map_spec(fd: int) -> MapSpec:
    """Shape and name of an open map."""
    info = object_info(fd, 40)
    kind, _, key, value, entries, flags = struct.unpack_from("=IIIIII", info)
    name = info[24:40].split(b"\0")[0].decode()
    return MapSpec(name, MapType(kind), key, value, entries, flags)


def map_id(fd: int) -> int:
    """Id of an open map."""
    (number,) = struct.unpack_from("=I", object_info(fd, 8), 4)
    return int(number)


def type_of_map(number: int) -> int | None:
    """Type, as the kernel numbers them, of any map of the machine by id; None when it is gone, or
    without CAP_SYS_ADMIN."""
    try:
        fd = bpf_call(Command.MAP_GET_FD_BY_ID, bytearray(struct.pack("=I", number)), "open map")
    except KernelError:
        return None
    try:
        (kind,) = struct.unpack_from("=I", object_info(fd, 8))
    finally:
        os.close(fd)
    return int(kind)


@contextmanager
def pinned_map(path: Path) -> Iterator[Map]:
    """A pinned map for the length of a `with` statement."""
    with open_map(path) as opened:
        yield opened
