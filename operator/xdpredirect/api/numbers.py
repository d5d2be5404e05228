"""Names of protocols, EtherTypes and TCP flags, and the numbers that frames carry for them.

Called by decode_match. The names are those of the schema; a test holds the two together.
"""

import re
from types import MappingProxyType

ETHER_TYPES = MappingProxyType(
    {"IPv4": 0x0800, "ARP": 0x0806, "IPv6": 0x86DD, "MPLS": 0x8847, "LLDP": 0x88CC, "PTP": 0x88F7}
)

PROTOCOLS = MappingProxyType(
    {
        "ICMP": 1,
        "IGMP": 2,
        "TCP": 6,
        "UDP": 17,
        "GRE": 47,
        "ESP": 50,
        "AH": 51,
        "ICMPv6": 58,
        "OSPF": 89,
        "VRRP": 112,
        "SCTP": 132,
    }
)

# Bits of the flag octet of the TCP header, FIN lowest.
TCP_FLAGS = MappingProxyType(
    {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128}
)

_HEX = re.compile(r"0x[0-9a-fA-F]{4}")
_OCTET = re.compile(r"25[0-5]|2[0-4][0-9]|1?[0-9]{1,2}")


def ether_type(text: str) -> int | None:
    """The EtherType of a name or of `0x` with four digits; None for any other text."""
    named = ETHER_TYPES.get(text)
    if named is not None:
        return named
    return int(text, 16) if _HEX.fullmatch(text) else None


def protocol(text: str) -> int | None:
    """The IP protocol of a name or of a decimal number up to 255; None for any other text."""
    named = PROTOCOLS.get(text)
    if named is not None:
        return named
    return int(text) if _OCTET.fullmatch(text) else None
