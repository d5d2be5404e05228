"""Random matches, as they are written in an object, that a validator accepts.

Called by `generate`. Values come from small pools, so that rules overlap and frames hit them.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from random import Random
from typing import TypeVar

Json = dict[str, object]
_T = TypeVar("_T")

LIST_SET, GROUP_SET = ("hosts", "bots"), "tiers"
GROUPS = ("tier-a", "tier-b", "tier-c")
INTERFACES = ("eth0", "eth1", "veth0", "ens1f0np0")
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:AA", "33:33:00:00:00:01")
_POOLS: dict[str, tuple[IPv4Network | IPv6Network, ...]] = {
    "IPv4": (ip_network("10.0.0.0/8"), ip_network("192.0.2.0/24"), ip_network("0.0.0.0/0")),
    "IPv6": (ip_network("2001:db8::/32"), ip_network("fe80::/10"), ip_network("::/0")),
}
_WITH_PORTS = ("TCP", "UDP", "SCTP")
_PROTOCOLS = ("TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "IGMP", "GRE", "ESP", "AH", "OSPF", "VRRP")
_NUMBERS = ("0", "6", "59", "01", "255", "200")
_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
_ETHER_TYPES = ("IPv4", "IPv6", "ARP", "LLDP", "MPLS", "PTP", "0x88f7", "0x8100", "0xFFFF")
_MAPPED = ip_network("::ffff:0:0/96")


def some(rng: Random, pool: Sequence[_T], most: int = 3) -> list[_T]:
    """One to `most` different items."""
    return rng.sample(pool, rng.randint(1, min(most, len(pool))))


def several(rng: Random, make: Callable[[], _T], most: int) -> list[_T]:
    """Mostly a few items, seldom as many as the schema takes."""
    count = rng.randint(1, 3) if rng.random() < 0.97 else rng.randint(1, most)
    return [make() for _ in range(count)]


def network(rng: Random, family: str) -> str:
    """A network without host bits, of any length, that is not IPv4 written as IPv6."""
    pool = rng.choice(_POOLS[family])
    length = rng.choice(
        (pool.prefixlen, pool.max_prefixlen, rng.randint(pool.prefixlen, pool.max_prefixlen))
    )
    host_bits = pool.max_prefixlen - length
    offset = rng.getrandbits(pool.max_prefixlen - pool.prefixlen) >> host_bits << host_bits
    # Not ip_network: it takes a small number for an IPv4 address.
    found = type(pool)((int(pool.network_address) + offset, length))
    return network(rng, family) if found.network_address in _MAPPED else str(found)


def random_match(rng: Random) -> Json:
    """A match of any mix of fields but `all`, never empty."""
    match: Json = {}
    while not match:
        for part, chance in ((_arrival, 0.15), (_tags, 0.25), (_macs, 0.15), (_ip, 0.8)):
            if rng.random() < chance:
                match |= part(rng)
        if not match or match.keys().isdisjoint(_IP_FIELDS) and rng.random() < 0.4:
            match["etherTypes"] = some(rng, _ETHER_TYPES)
    return match


def integer_range(rng: Random, names: tuple[str, str], bounds: tuple[int, int]) -> Json:
    """`{first: low}` or `{first: low, last: high}` within the bounds."""
    low, high = sorted((rng.randint(*bounds), rng.randint(*bounds)))
    low = rng.choice((low, bounds[0])) if rng.random() < 0.2 else low
    if rng.random() < 0.5:
        return {names[0]: low}
    return {names[0]: low, names[1]: rng.choice((low, high, bounds[1]))}


def number_list(rng: Random, highest: int) -> str:
    """Numbers and ranges as one text, such as 0-3,8."""
    parts = []
    for _ in range(rng.randint(1, 3)):
        low, high = sorted((rng.randint(0, highest), rng.randint(0, highest)))
        parts.append(rng.choice((str(low), f"{low}-{high}")))
    return ",".join(parts)


def _arrival(rng: Random) -> Json:
    fields: dict[str, Callable[[], object]] = {
        "rxQueues": lambda: number_list(rng, 3),
        "interfaces": lambda: some(rng, (*INTERFACES, "eth*", "*", "veth?", "*np?")),
        "lengths": lambda: several(rng, lambda: _length(rng), 16),
    }
    return {name: fields[name]() for name in some(rng, tuple(fields), 2)}


def _length(rng: Random) -> Json:
    low, high = sorted((rng.randint(14, 200), rng.choice((64, 1514, 9000, 65535))))
    bounds: Json = {"min": low, "max": high}
    return {name: bounds[name] for name in some(rng, ("min", "max"))}


def _tags(rng: Random) -> Json:
    tags = rng.choice(("None", "One", "Two"))
    ids: dict[str, object] = {}
    if rng.random() < 0.6 and tags != "None":
        ids["vlanIDs"] = several(rng, lambda: _vlan_range(rng), 64)
    if rng.random() < 0.4 and tags == "Two":
        ids["innerVLANIDs"] = several(rng, lambda: _vlan_range(rng), 64)
    return ids if ids and rng.random() < 0.5 else {"vlanTags": tags, **ids}


def _vlan_range(rng: Random) -> Json:
    return integer_range(rng, ("id", "endID"), rng.choice(((0, 4094), (90, 110))))


def _macs(rng: Random) -> Json:
    return {name: some(rng, MACS) for name in some(rng, ("sourceMACs", "destinationMACs"))}


def _ip(rng: Random) -> Json:
    """IP fields of one family or of both, consistent with each other."""
    families = rng.choice((["IPv4"], ["IPv6"], ["IPv4", "IPv6"]))
    match: Json = {}
    for direction in some(rng, ("source", "destination"), 2) if rng.random() < 0.6 else ():
        match |= _addresses(rng, direction, families)
    if rng.random() < 0.6:
        match |= _protocol(rng)
    if rng.random() < 0.15:
        match["dscp"] = several(rng, lambda: rng.randint(0, 63), 64)
    if rng.random() < 0.15:
        match["fragments"] = rng.choice(("None", "First", "Later", "Any"))
    if rng.random() < 0.3:
        match["etherTypes"] = [*families, *some(rng, ("ARP", "0x1234"))][: rng.randint(2, 3)]
    return match


_IP_FIELDS = (
    "sourceCIDRs",
    "destinationCIDRs",
    "sourceAddressSets",
    "destinationAddressSets",
    "protocols",
    "dscp",
    "fragments",
    "etherTypes",
)


def _addresses(rng: Random, direction: str, families: list[str]) -> Json:
    """CIDRs of every family, so that both directions have one in common, or sets, or both."""
    match: Json = {}
    if rng.random() < 0.8:
        most = max(256 - len(families), 1)
        more = several(rng, lambda: network(rng, rng.choice(families)), most)
        match[f"{direction}CIDRs"] = [network(rng, family) for family in families] + more
    if not match or rng.random() < 0.2:
        names = some(rng, (*LIST_SET, GROUP_SET))
        match[f"{direction}AddressSets"] = [{"name": name} for name in names]
    return match


def _protocol(rng: Random) -> Json:
    """Protocols, and what only some of them have: ports, flags or types."""
    kind = rng.choice(("ports", "ports", "flags", "icmp", "bare"))
    if kind == "bare":
        return {"protocols": some(rng, _PROTOCOLS + _NUMBERS)}
    if kind == "icmp":
        types = several(rng, lambda: _icmp_type(rng), 32)
        return {"protocols": [rng.choice(("ICMP", "ICMPv6"))], "icmpTypes": types}
    match: Json = {"protocols": ["TCP"] if kind == "flags" else some(rng, _WITH_PORTS)}
    for name in some(rng, ("sourcePorts", "destinationPorts"), 2):
        match[name] = several(rng, lambda: _port_range(rng), 64)
    if kind == "flags":
        flags = some(rng, _FLAGS, 8)
        cut = rng.randint(0, len(flags))
        halves = (("set", flags[:cut]), ("unset", flags[cut:]))
        match["tcpFlags"] = {name: half for name, half in halves if half}
    return match


def _port_range(rng: Random) -> Json:
    return integer_range(rng, ("port", "endPort"), rng.choice(((0, 65535), (50, 56), (1024, 2048))))


def _icmp_type(rng: Random) -> Json:
    kind: Json = {"type": rng.choice((0, 3, 8, 128, 135, rng.randint(0, 255)))}
    return kind if rng.random() < 0.5 else {**kind, "code": rng.choice((0, 3, rng.randint(0, 255)))}
