"""What the drop monitor has to know of kernel structures, out of the running kernel's own BTF.

Called by `kernel.tracer`. Only names asked for are decoded: the file has 100,000 types. Format:
Documentation/bpf/btf.rst.
"""

import struct
from array import array
from collections.abc import Mapping
from pathlib import Path

from xdpredirect.errors import KernelError

VMLINUX = Path("/sys/kernel/btf/vmlinux")
_HEADER = struct.Struct("=HBBIIIII")
_TYPE = struct.Struct("=III")
_MEMBER = struct.Struct("=III")
_STRUCT, _TYPEDEF, _FUNC = 4, 8, 12
# Octets that follow struct btf_type, by kind; the second number counts per vlen.
_TAIL = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0)}
_TAIL |= {15: (0, 12), 17: (4, 0), 19: (0, 12)}
_NO_BTF = 95


class Btf:
    """One BTF file. Raises KernelError when the kernel offers none."""

    def __init__(self, path: Path = VMLINUX) -> None:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise KernelError(f"read {path}", error.errno or _NO_BTF) from error
        _, _, _, size, types, types_size, strings, strings_size = _HEADER.unpack_from(data)
        self._types = data[size + types : size + types + types_size]
        self._strings = data[size + strings : size + strings + strings_size]
        self._starts = self._index()

    def _index(self) -> "array[int]":
        """Where each type begins, by type id."""
        starts = array("I", [0])
        offset, end, data = 0, len(self._types), self._types
        while offset < end:
            starts.append(offset)
            (info,) = struct.unpack_from("=I", data, offset + 4)
            fixed, each = _TAIL.get(info >> 24 & 0x1F, (0, 0))
            offset += _TYPE.size + fixed + each * (info & 0xFFFF)
        return starts

    def _named(self, name: str, kind: int) -> int:
        """Id of the type of that kind and name. Raises KeyError."""
        wanted = name.encode()
        for number in range(1, len(self._starts)):
            name_at, info, _ = _TYPE.unpack_from(self._types, self._starts[number])
            if info >> 24 & 0x1F == kind and self._strings.startswith(wanted + b"\0", name_at):
                return number
        raise KeyError(name)

    def structure(self, name: str) -> int:
        """Type id of a struct. Raises KeyError."""
        return self._named(name, _STRUCT)

    def function(self, name: str) -> int | None:
        """Type id of a kernel function, None where the kernel has none of that name."""
        try:
            return self._named(name, _FUNC)
        except KeyError:
            return None

    def typedefs(self, prefix: str) -> Mapping[str, int]:
        """Ids of the typedefs whose names start with `prefix`, by the rest of the name."""
        start = prefix.encode()
        found = {}
        for number in range(1, len(self._starts)):
            name_at, info, _ = _TYPE.unpack_from(self._types, self._starts[number])
            if info >> 24 & 0x1F == _TYPEDEF and self._strings.startswith(start, name_at):
                found[self._string(name_at).removeprefix(prefix)] = number
        return found

    def offset(self, structure: str, *members: str) -> int:
        """Offset in octets of a member, or of a member of structures inside it."""
        number = self._named(structure, _STRUCT)
        total = 0
        for member in members:
            at, number = self._member(number, member)
            total += at
        return total

    def _member(self, number: int, member: str) -> tuple[int, int]:
        start = self._starts[number]
        _, info, _ = _TYPE.unpack_from(self._types, start)
        bits = 0xFFFFFF if info >> 31 else 0xFFFFFFFF
        for i in range(info & 0xFFFF):
            name_at, kind, offset = _MEMBER.unpack_from(
                self._types, start + _TYPE.size + i * _MEMBER.size
            )
            if self._string(name_at) == member:
                return (offset & bits) // 8, self._behind(kind)
            if not name_at:
                try:
                    inside, type_id = self._member(self._behind(kind), member)
                except KeyError:
                    continue
                return (offset & bits) // 8 + inside, type_id
        raise KeyError(member)

    def _behind(self, number: int) -> int:
        """The type behind typedefs and qualifiers."""
        while True:
            _, info, target = _TYPE.unpack_from(self._types, self._starts[number])
            if info >> 24 & 0x1F not in (8, 9, 10, 11, 18):
                return number
            number = target

    def _string(self, offset: int) -> str:
        return self._strings[offset : self._strings.index(b"\0", offset)].decode()
