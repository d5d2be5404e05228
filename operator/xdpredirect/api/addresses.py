"""Text to bytes: IP addresses, networks, MAC addresses and number ranges.

Called by the decoder, and by cel for Kubernetes' isIP, isCIDR and cidr, so that both accept
exactly the same text. The text forms are those of Go's net/netip, which the API server uses:
no zone, no IPv4-mapped IPv6 address, no leading zero. inet_pton is stateless: nothing here
opens a socket.
"""

import re
from socket import AF_INET, AF_INET6, inet_pton

from xdpredirect.api.match import Prefix, Range

_MAC = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}")
_RANGE = re.compile(r"(0|[1-9][0-9]{0,3})(?:-(0|[1-9][0-9]{0,3}))?")
_LENGTHS = {str(length): length for length in range(129)}
_MAPPED = bytes(10) + b"\xff\xff"
# Bits of an address below a prefix length; 0 there means "no host bits".
_HOST4 = tuple((1 << (32 - length)) - 1 for length in range(33))
_HOST6 = tuple((1 << (128 - length)) - 1 for length in range(129))


def parse_address(text: str) -> bytes | None:
    """4 or 16 octets; None where `text` is not an IP address."""
    if ":" not in text:
        try:
            return inet_pton(AF_INET, text)
        except (OSError, ValueError):
            return None
    try:
        address = inet_pton(AF_INET6, text)
    except (OSError, ValueError):
        return None
    return None if address.startswith(_MAPPED) else address


def parse_cidr(text: str) -> Prefix | None:
    """Address and length as written, host bits kept; None where `text` is not ADDRESS/LENGTH."""
    head, _, tail = text.partition("/")
    length = _LENGTHS.get(tail)
    address = parse_address(head) if length is not None else None
    if address is None or length is None or length > 8 * len(address):
        return None
    return Prefix(address, length)


def masked(prefix: Prefix) -> Prefix:
    """`prefix` without its host bits."""
    address, length = prefix
    host = (_HOST4 if len(address) == 4 else _HOST6)[length]
    number = int.from_bytes(address, "big")
    return prefix if not number & host else Prefix(_octets(number & ~host, address), length)


def parse_network(text: str, *, bare: bool) -> Prefix | None:
    """A network without host bits. `bare` also takes an address, as /32 or /128.

    None where `text` is neither, or has host bits.
    """
    if bare and "/" not in text:
        address = parse_address(text)
        return None if address is None else Prefix(address, 8 * len(address))
    prefix = parse_cidr(text)
    if prefix is None:
        return None
    address, length = prefix
    host = (_HOST4 if len(address) == 4 else _HOST6)[length]
    return None if int.from_bytes(address, "big") & host else prefix


def parse_mac(text: str) -> bytes | None:
    """6 octets; None where `text` is not six octets in hexadecimal with colons."""
    return bytes.fromhex(text.replace(":", "")) if _MAC.fullmatch(text) else None


def parse_ranges(text: str) -> tuple[Range, ...] | None:
    """`0-3,8` as ranges in the written order; None where the text has another form.

    A range whose end is lower than its start is returned as written: the caller refuses it,
    because it deserves a sentence of its own.
    """
    ranges = []
    for part in text.split(","):
        found = _RANGE.fullmatch(part)
        if found is None:
            return None
        first = int(found[1])
        ranges.append(Range(first, first if found[2] is None else int(found[2])))
    return tuple(ranges)


def _octets(number: int, like: bytes) -> bytes:
    return number.to_bytes(len(like), "big")
