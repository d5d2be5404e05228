"""The wire format of protocol buffers, as far as kubelet's plugins need it: pure.

Called by `messages`. Of https://protobuf.dev/programming-guides/encoding: varints and fields with a
length are read and written; the two fixed sizes are skipped, groups are refused.
"""

from collections.abc import Iterator

from xdpredirect.errors import InvalidInput

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_MOST_OCTETS = 10
"""Of a varint: 64 bits, seven in each."""


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field, in their order. Raises InvalidInput."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
        elif kind == _BYTES:
            length, at = _varint(message, at)
            yield number, _cut(message, at, length)
            at += length
        elif kind in _FIXED:
            _cut(message, at, _FIXED[kind])
            at += _FIXED[kind]
        else:
            raise InvalidInput((f"a field of the unknown wire type {kind}",))


def texts(message: bytes) -> Iterator[tuple[int, str]]:
    """Those fields that are texts; others are skipped. Raises InvalidInput."""
    for number, value in fields(message):
        if isinstance(value, bytes):
            try:
                yield number, value.decode()
            except UnicodeDecodeError:
                raise InvalidInput((f"field {number} is no UTF-8",)) from None


def field(number: int, value: bytes | str) -> bytes:
    """A field with a length: a text, octets or another message."""
    octets = value.encode() if isinstance(value, str) else value
    return _encoded(number << 3 | _BYTES) + _encoded(len(octets)) + octets


def entry(number: int, key: str, message: bytes) -> bytes:
    """One entry of a map from texts to messages."""
    return field(number, field(1, key) + field(2, message))


def _encoded(value: int) -> bytes:
    octets = bytearray()
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, octet in enumerate(message[at : at + _MOST_OCTETS]):
        value |= (octet & 0x7F) << 7 * place
        if octet < 0x80:
            return value, at + place + 1
    raise InvalidInput(("a number without an end",))


def _cut(message: bytes, at: int, length: int) -> bytes:
    if at + length > len(message):
        raise InvalidInput(("a field is longer than the message",))
    return message[at : at + length]
