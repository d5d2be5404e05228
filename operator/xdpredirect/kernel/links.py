"""Links and addresses of the calling thread's network namespace, from two rtnetlink dumps.

Called by `kernel.host`, which adds what only ethtool, sysfs or netdev generic netlink know, and by
`kernel.netns` for one link of another namespace.
"""

import struct
from collections.abc import Mapping

from xdpredirect.host import Link, XdpMode
from xdpredirect.kernel.netlink import (
    NETLINK_ROUTE,
    Netlink,
    attribute,
    attribute_list,
    attributes,
    text,
)

RTM_GETLINK, _RTM_GETADDR = 18, 22
IFINFO = struct.Struct("=BxHiII")  # family, type, index, flags, change
_IFADDR = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_U16, _U32, _S32, _BE16 = (struct.Struct(f) for f in ("=H", "=I", "=i", ">H"))

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_LINKINFO, _IFLA_EXT_MASK, _IFLA_PROMISCUITY = 18, 29, 30
_IFLA_NUM_TX_QUEUES, _IFLA_NUM_RX_QUEUES = 31, 32
_IFLA_CARRIER_CHANGES, _IFLA_LINK_NETNSID, _IFLA_XDP = 35, 37, 43
_IFLA_PROP_LIST, _IFLA_ALT_IFNAME, _IFLA_PERM_ADDRESS = 52, 53, 54
_INFO_KIND, _INFO_DATA = 1, 2
_VLAN_ID, _VLAN_PROTOCOL = 1, 5
_XDP_ATTACHED, _XDP_PROG_ID, _XDP_DRV_PROG_ID = 2, 4, 5
_XDP_MODES = {1: XdpMode.NATIVE, 2: XdpMode.GENERIC, 3: XdpMode.OFFLOAD}
_XDP_ATTACHED_MULTI = 4
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_SKIP_STATS = 8
_NO_ADDRESSES: Mapping[int, list[bytes]] = {}


def dump_links() -> tuple[Link, ...]:
    """Every link with its addresses, by ifindex. Raises KernelError."""
    request = IFINFO.pack(0, 0, 0, 0, 0) + attribute(_IFLA_EXT_MASK, _U32.pack(_SKIP_STATS))
    with Netlink(NETLINK_ROUTE) as netlink:
        links = netlink.dump("list links", RTM_GETLINK, request)
        addresses = netlink.dump("list addresses", _RTM_GETADDR, _IFADDR.pack(0, 0, 0, 0, 0))
    by_index: dict[int, list[bytes]] = {}
    for message in addresses:
        index = _IFADDR.unpack_from(message.body)[4]
        values = attributes(message.body, _IFADDR.size)
        # Of a point-to-point address IFA_ADDRESS is the far end; IFA_LOCAL is always ours.
        address = values.get(_IFA_LOCAL, values.get(_IFA_ADDRESS))
        if address is not None:
            by_index.setdefault(index, []).append(bytes(address))
    found = (parse_link(message.body, by_index) for message in links)
    return tuple(sorted(found, key=lambda link: link.ifindex))


def parse_link(body: memoryview, addresses: Mapping[int, list[bytes]] = _NO_ADDRESSES) -> Link:
    """Of the body of an RTM_NEWLINK; `addresses` by ifindex."""
    _, _, index, flags, _ = IFINFO.unpack_from(body)
    values = attributes(body, IFINFO.size)
    kind, vlan_id, vlan_protocol = _info(values.get(_IFLA_LINKINFO))
    mode, program = _xdp(values.get(_IFLA_XDP))
    lower = values.get(_IFLA_LINK)
    return Link(
        ifindex=index,
        name=text(values[_IFLA_IFNAME]),
        alt_names=_alt_names(values.get(_IFLA_PROP_LIST)),
        kind=kind,
        mac=bytes(values.get(_IFLA_ADDRESS, b"")),
        permanent_mac=bytes(values.get(_IFLA_PERM_ADDRESS, b"")),
        mtu=_number(values, _IFLA_MTU),
        up=bool(flags & _IFF_UP),
        carrier=bool(flags & _IFF_LOWER_UP),
        master=_number(values, _IFLA_MASTER),
        lower=_S32.unpack(lower)[0] if lower is not None else 0,
        lower_here=_IFLA_LINK_NETNSID not in values,
        vlan_id=vlan_id,
        vlan_protocol=vlan_protocol,
        # How many the driver allocated: an upper bound, for devices without ETHTOOL_GCHANNELS.
        rx_channels=_number(values, _IFLA_NUM_RX_QUEUES, 1),
        tx_channels=_number(values, _IFLA_NUM_TX_QUEUES, 1),
        promiscuity=_number(values, _IFLA_PROMISCUITY),
        carrier_changes=_number(values, _IFLA_CARRIER_CHANGES),
        xdp_prog_id=program,
        xdp_mode=mode,
        addresses=tuple(sorted(addresses.get(index, ()))),
    )


def _number(values: dict[int, memoryview], kind: int, default: int = 0) -> int:
    value = values.get(kind)
    return int(_U32.unpack(value)[0]) if value is not None else default


def _info(value: memoryview | None) -> tuple[str, int | None, int | None]:
    """Kind, and of a VLAN device its ID and TPID."""
    if value is None:
        return "", None, None
    info = attributes(value)
    kind = text(info[_INFO_KIND]) if _INFO_KIND in info else ""
    if kind != "vlan" or _INFO_DATA not in info:
        return kind, None, None
    data = attributes(info[_INFO_DATA])
    return kind, _U16.unpack(data[_VLAN_ID])[0], _BE16.unpack(data[_VLAN_PROTOCOL])[0]


def _alt_names(value: memoryview | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(text(name) for kind, name in attribute_list(value) if kind == _IFLA_ALT_IFNAME)


def _xdp(value: memoryview | None) -> tuple[XdpMode, int]:
    """Mode and program id. Generic and native at once: the native one, which runs first."""
    if value is None:
        return XdpMode.NONE, 0
    xdp = attributes(value)
    attached = xdp[_XDP_ATTACHED][0] if _XDP_ATTACHED in xdp else 0
    if attached == _XDP_ATTACHED_MULTI:
        return XdpMode.NATIVE, _number(xdp, _XDP_DRV_PROG_ID)
    return _XDP_MODES.get(attached, XdpMode.NONE), _number(xdp, _XDP_PROG_ID)
