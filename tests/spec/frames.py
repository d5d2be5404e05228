"""Frames for the tables: scapy builds what is regular, octets by hand are what is not.

Called by the packet tables and the generators. Addresses are fixed, so a table names only what
its row is about.
"""

from collections.abc import Mapping, Sequence

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet as Layers

ROUTER_MAC, HOST_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
HOST4, SERVER4 = "192.0.2.10", "198.51.100.20"
HOST6, SERVER6 = "2001:db8:1::10", "2001:db8:2::20"

# Octets of the headers that nearly every row has.
ETHERNET, TAG, IPV4_HEADER, IPV6_HEADER = 14, 4, 20, 40

Tag = tuple[int, int]  # TPID and TCI


def mac(text: str) -> bytes:
    """Six octets of a hardware address in colon notation."""
    return bytes.fromhex(text.replace(":", ""))


def vlan(vid: int, priority: int = 0) -> Tag:
    """A customer tag (802.1Q)."""
    return 0x8100, priority << 13 | vid


def service(vid: int) -> Tag:
    """A service tag (802.1ad)."""
    return 0x88A8, vid


def ip4(source: str = HOST4, destination: str = SERVER4, **fields: object) -> Layers:
    """An IPv4 header without payload, to be put in front of one with `/`."""
    return _with_fields(IP(src=source, dst=destination), fields)


def ip6(source: str = HOST6, destination: str = SERVER6, **fields: object) -> Layers:
    """An IPv6 header without payload, to be put in front of one with `/`."""
    return _with_fields(IPv6(src=source, dst=destination), fields)


def _with_fields(layer: Layers, fields: Mapping[str, object]) -> Layers:
    for name, value in fields.items():
        setattr(layer, name, value)
    return layer


def ethernet(
    payload: Layers | bytes,
    ether_type: int | None = None,
    tags: Sequence[Tag] = (),
    source: str = HOST_MAC,
    destination: str = ROUTER_MAC,
) -> bytes:
    """The whole frame. `ether_type` None: that of the IP header in front of the payload."""
    if ether_type is None:
        ether_type = 0x86DD if isinstance(payload, IPv6) else 0x0800
    stack = b"".join(number.to_bytes(2, "big") for tag in tags for number in tag)
    head = mac(destination) + mac(source) + stack + ether_type.to_bytes(2, "big")
    return head + bytes(payload)


def padded(frame: bytes, length: int) -> bytes:
    """`frame` with zero octets up to `length`, as a sender fills a short one."""
    return frame + bytes(length - len(frame))


def patched(frame: bytes, offset: int, octets: bytes) -> bytes:
    """`frame` with `octets` written over what was at `offset`."""
    return frame[:offset] + octets + frame[offset + len(octets) :]


def extension(following: int, units: int = 0) -> bytes:
    """An IPv6 extension header of 8 + 8 * `units` octets (hop-by-hop, routing, destination)."""
    return bytes([following, units]) + bytes(6 + 8 * units)


def authentication(following: int, words: int = 4) -> bytes:
    """An authentication header whose length field says `words`: (words + 2) * 4 octets."""
    return bytes([following, words]) + bytes((words + 2) * 4 - 2)


def fragment(following: int, position: int = 0, more: bool = False) -> bytes:
    """An IPv6 fragment header; `position` is in units of 8 octets."""
    return bytes([following, 0]) + (position << 3 | more).to_bytes(2, "big") + b"\0\0\0\x07"
