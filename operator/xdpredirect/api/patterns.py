"""The patterns of the schemas: compiled with the meaning they have in Go, and put into words.

Called by schema. An API server matches with RE2, where $ is the end of the text; in Python it also
matches before a trailing newline.
"""

import re
from functools import cache
from types import MappingProxyType

# What each pattern asks for. A test holds this table and the CRD files together.
WORDS = MappingProxyType(
    {
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "lower-case letters, digits and inner hyphens",
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$": (
            "lower-case letters, digits, and inner hyphens and dots"
        ),
        r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$": (
            "a label value: letters, digits, and inner hyphens, dots and underscores"
        ),
        r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$": (
            "a label key: a name, or a domain and a name"
        ),
        r"^[A-Za-z0-9_.@+*?-]{1,127}$": "the name of an interface, or a glob with * and ?",
        r"^[A-Za-z0-9_.@+-]{1,127}$": "the name of a device or an interface",
        r"^[a-zA-Z0-9_-]+$": "the name of a driver",
        r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$": (
            "a PCI address with its domain, in lower case"
        ),
        r"^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$": "a MAC address with colons",
        r"^(IPv4|IPv6|ARP|LLDP|MPLS|PTP|0x[0-9a-fA-F]{4})$": (
            "IPv4, IPv6, ARP, LLDP, MPLS, PTP, or four hexadecimal digits as in 0x88f7,"
        ),
        r"^(TCP|UDP|SCTP|ICMP|ICMPv6|IGMP|GRE|ESP|AH|OSPF|VRRP|"
        r"25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})$": (
            "TCP, UDP, SCTP, ICMP, ICMPv6, IGMP, GRE, ESP, AH, OSPF, VRRP, or a number up to 255,"
        ),
        r"^(0|[1-9][0-9]{0,3})(-(0|[1-9][0-9]{0,3}))?"
        r"(,(0|[1-9][0-9]{0,3})(-(0|[1-9][0-9]{0,3}))?)*$": (
            "numbers and ranges with commas, without spaces or leading zeros,"
        ),
        r"^(0|[1-9][0-9]{0,2})(-(0|[1-9][0-9]{0,2}))?"
        r"(,(0|[1-9][0-9]{0,2})(-(0|[1-9][0-9]{0,2}))?)*$": (
            "numbers up to 999 and ranges with commas, without spaces or leading zeros,"
        ),
        r"^([a-z_][a-z0-9_-]*|0|[1-9][0-9]{0,9})$": (
            "a user: a name in lower case, or a number in quotes,"
        ),
        r"^[A-Za-z0-9_.@:/+-]+$": "a key of letters, digits and _ . @ : / + -",
    }
)


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """`pattern` with RE2's meaning of $, \\d, \\w and \\s; use its `search`."""
    parts, in_class, escaped = [], False, False
    for c in pattern:
        if escaped:
            escaped = False
        elif c == "\\":
            escaped = True
        elif c in "[]":
            in_class = c == "["
        elif c == "$" and not in_class:
            c = r"\Z"  # noqa: PLW2901
        parts.append(c)
    return re.compile("".join(parts), re.ASCII)


def in_words(pattern: str) -> str:
    """What a text has to be; the pattern itself where the table has no words for it."""
    return WORDS.get(pattern, f"text that matches {pattern}")
