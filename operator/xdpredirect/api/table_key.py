"""Reads the keys of tables: what a key is depends on `keyBy` and on whether a set is named.

Called by decode_action for device tables and CPU tables.
"""

import re
from types import MappingProxyType

from xdpredirect.api.action import KeyBy, TableKey
from xdpredirect.api.addresses import parse_mac, parse_network
from xdpredirect.api.fields import Parse, problem, text
from xdpredirect.api.wording import shown

# Highest key of each number, as wide as the field of the frame.
HIGHEST = MappingProxyType(
    {
        KeyBy.VLAN: 4094,
        KeyBy.VNI: (1 << 24) - 1,
        KeyBy.TEID: (1 << 32) - 1,
        KeyBy.DSCP: 63,
        KeyBy.RX_QUEUE: 9999,
    }
)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_INTERFACE = re.compile(r"[A-Za-z0-9_.@+-]+")


def key_parser(key_by: KeyBy, *, grouped: bool) -> Parse[tuple[str, TableKey]]:
    """A parser from a written key to (text, parsed key); `grouped`: keys are names of groups.

    The parser raises InvalidInput that says what the key has to be.
    """
    such_as = _such_as(key_by, grouped)

    def parse(value: object, path: str) -> tuple[str, TableKey]:
        written = text(value, path)
        found = _group(written) if grouped else _key(key_by, written)
        if found is None:
            raise problem(path, f"must be {such_as}, not {shown(value)}")
        return written, found

    return parse


def _group(written: str) -> TableKey | None:
    return written if _LABEL.fullmatch(written) else None


def _key(key_by: KeyBy, written: str) -> TableKey | None:
    match key_by:
        case KeyBy.VLAN | KeyBy.VNI | KeyBy.TEID | KeyBy.DSCP | KeyBy.RX_QUEUE:
            fits = _NUMBER.fullmatch(written) and int(written) <= HIGHEST[key_by]
            return int(written) if fits else None
        case KeyBy.INGRESS_INTERFACE:
            return written if _INTERFACE.fullmatch(written) else None
        case KeyBy.SOURCE_MAC | KeyBy.DESTINATION_MAC:
            return parse_mac(written)
        case KeyBy.SOURCE_IP | KeyBy.DESTINATION_IP:
            return parse_network(written, bare=True)


def _such_as(key_by: KeyBy, grouped: bool) -> str:
    if grouped:
        return "the name of a group of the address set, such as tier-a"
    if key_by in HIGHEST:
        return f"a decimal number in quotes from '0' to '{HIGHEST[key_by]}'"
    if key_by is KeyBy.INGRESS_INTERFACE:
        return "the name of one interface such as eth0"
    if key_by in (KeyBy.SOURCE_MAC, KeyBy.DESTINATION_MAC):
        return "a MAC address such as 02:00:00:00:00:01"
    return "an address or a network without host bits such as 192.0.2.1 or 10.0.0.0/8"
