"""A netlink socket: requests, dumps and attributes, as plain bytes.

Called by `links`, `features`, `watch` and `prepare` of this package. It knows no message type: the
callers name theirs. The agent lives in 40 MB; a general netlink library took 24 MB of them
(measured), ten of these for an event loop that nothing here needs.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, Self

from xdpredirect.errors import KernelError

NETLINK_ROUTE = 0
NETLINK_GENERIC = 16

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # nlattr: length, type
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _ACK, _DUMP, _DUMP_INTR = 0x1, 0x4, 0x300, 0x10
_CAPPED, _ACK_TLVS = 0x100, 0x200
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_NESTED_BITS = 0xC000  # NLA_F_NESTED | NLA_F_NET_BYTEORDER: not part of the type
_ATTEMPTS = 5


class Message(NamedTuple):
    """One reply: its nlmsg_type and what follows the netlink header."""

    type: int
    body: memoryview


class Netlink:
    """A socket of one netlink protocol in the calling thread's network namespace.

    Use it in a `with` statement. Every method raises KernelError.
    """

    def __init__(self, protocol: int) -> None:
        self._sequence = 0
        try:
            self.socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol
            )
        except OSError as error:
            raise _failure("open a netlink socket", error) from error
        try:
            # The reason in words, and not the whole request, behind an error.
            self.socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
            self.socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
            self.socket.bind((0, 0))
        except OSError as error:
            self.socket.close()
            raise _failure("set up a netlink socket", error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Releases the socket; may be called twice."""
        self.socket.close()

    def dump(self, operation: str, message_type: int, body: bytes) -> list[Message]:
        """All replies to a dump request. `operation` says in words what fails, if it fails.

        The kernel marks a dump during which the list changed; such a one may miss entries and is
        asked for again. After five of them the last one is good enough: whoever changes links
        that fast also wakes the watch, and the next pass looks again.
        """
        for _ in range(_ATTEMPTS):
            replies, interrupted = self._exchange(operation, message_type, _DUMP, body)
            if not interrupted:
                break
        return replies

    def request(self, operation: str, message_type: int, body: bytes) -> list[Message]:
        """Sends one request and returns the replies that came before its acknowledgement."""
        return self._exchange(operation, message_type, _ACK, body)[0]

    def _exchange(
        self, operation: str, message_type: int, flags: int, body: bytes
    ) -> tuple[list[Message], bool]:
        self._sequence += 1
        header = _HEADER.pack(
            _HEADER.size + len(body), message_type, _REQUEST | flags, self._sequence, 0
        )
        replies: list[Message] = []
        interrupted = False
        try:
            self.socket.send(header + body)
            while True:
                data = memoryview(self.socket.recv(65536))
                for message, reply_flags, sequence in split(data):
                    if sequence != self._sequence:
                        continue
                    interrupted = interrupted or bool(reply_flags & _DUMP_INTR)
                    if message.type in (_NLMSG_DONE, _NLMSG_ERROR):
                        _check(operation, message.body, reply_flags)
                        return replies, interrupted
                    replies.append(message)
        except OSError as error:
            raise _failure(operation, error) from error


def split(data: memoryview) -> Iterator[tuple[Message, int, int]]:
    """The messages of one datagram, each with its flags and sequence number."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, message_type, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            raise KernelError("read a netlink message", errno.EBADMSG)
        yield Message(message_type, data[offset + _HEADER.size : offset + length]), flags, sequence
        offset += (length + 3) & ~3


def attributes(data: memoryview, offset: int = 0) -> dict[int, memoryview]:
    """Attribute type to value, from `offset` on; of a repeated type the last one stays."""
    return dict(attribute_list(data, offset))


def attribute_list(data: memoryview, offset: int = 0) -> Iterator[tuple[int, memoryview]]:
    """Attribute types and values in order, for lists that repeat a type."""
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4 or offset + length > len(data):
            raise KernelError("read a netlink attribute", errno.EBADMSG)
        yield kind & ~_NESTED_BITS, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One encoded attribute, padded to four octets."""
    length = 4 + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def text(value: memoryview) -> str:
    """A NUL-terminated name. Names are octets for the kernel; odd ones survive a round trip."""
    return os.fsdecode(bytes(value).split(b"\0", 1)[0])


def _check(operation: str, body: memoryview, flags: int) -> None:
    """Raises when an NLMSG_ERROR or NLMSG_DONE carries an error."""
    code = struct.unpack_from("=i", body)[0] if len(body) >= 4 else 0
    if code == 0:
        return
    detail = ""
    if flags & _ACK_TLVS and flags & _CAPPED:
        words = attributes(body, 4 + _HEADER.size).get(1)
        detail = text(words) if words is not None else ""
    raise KernelError(operation, -code, detail)


def _failure(operation: str, error: OSError) -> KernelError:
    return KernelError(operation, error.errno or errno.EIO)
