"""The objects that are measured and frames for them. Plain data, the same in every run."""

import random
import struct
from collections.abc import Sequence
from dataclasses import replace

from xdpredirect.api.action import (
    Action as RuleAction,
)
from xdpredirect.api.action import (
    CPUs,
    DeviceGroup,
    GroupMember,
    SpreadBy,
    ToDevice,
)
from xdpredirect.api.match import Fragments, Match, Prefix, Range
from xdpredirect.api.redirect import (
    InterfaceTerm,
    NamedDevice,
    NodeSelector,
    Protect,
    RedirectSpec,
    Rule,
    XdpAddressSet,
    XdpRedirect,
)

UDP = 17
FRAME = 64
SOURCE, DESTINATION = b"\x0a\0\0\1", b"\x0a\0\1\1"
FIRST_PORT = 4000
SET_SIZE = 50_000


def frame(
    port: int = FIRST_PORT, source: bytes = SOURCE, destination_mac: bytes = b"\2\xaa\0\0\0\1"
) -> bytes:
    """UDP of 64 octets from `source`, port 1000, to 10.0.1.1, `port`."""
    payload = FRAME - 14 - 20 - 8
    ethernet = destination_mac + b"\2\0\0\0\0\2" + b"\x08\0"
    length = FRAME - 14
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, UDP, 0, source, DESTINATION)
    total = sum(struct.unpack(">10H", ip))
    total = (total & 0xFFFF) + (total >> 16)
    ip = ip[:10] + struct.pack(">H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + ip[12:]
    return ethernet + ip + struct.pack(">HHHH", 1000, port, 8 + payload, 0) + bytes(payload)


def redirect(
    rules: Sequence[Rule],
    interface: str = "lo",
    device: str = "lo",
    protect: Protect = Protect.NONE,
) -> XdpRedirect:
    """One object on `interface`; rules name its device `out`."""
    out = NamedDevice(name="out", select=(InterfaceTerm(names=(device,)),))
    spec = RedirectSpec(
        node_selector=NodeSelector(),
        interfaces=(InterfaceTerm(names=(interface,)),),
        devices=(out,),
        rules=tuple(rules),
        protect=protect,
    )
    return XdpRedirect(name="bench", spec=spec)


def everything(action: RuleAction | None = None) -> list[Rule]:
    """One rule that takes every frame."""
    return [Rule(name="all", match=Match(all=True), action=action or ToDevice(name="out"))]


def flows(action: RuleAction | None = None) -> list[Rule]:
    """One rule that reads what a flow is made of, whatever its action reads."""
    match = replace(five_tuples(1)[0].match, fragments=Fragments.NONE)
    return [Rule(name="all", match=match, action=action or ToDevice(name="out"))]


def five_tuples(count: int) -> list[Rule]:
    """Rules that differ in the destination port: rule n takes FIRST_PORT + n."""
    whole = Match(
        source_cidrs=(Prefix(SOURCE, 32),),
        destination_cidrs=(Prefix(DESTINATION, 32),),
        protocols=(UDP,),
        source_ports=(Range(1000, 1000),),
    )
    return [
        Rule(
            name=f"flow-{number}",
            match=replace(whole, destination_ports=(Range(port, port),)),
            action=ToDevice(name="out"),
        )
        for number, port in enumerate(range(FIRST_PORT, FIRST_PORT + count))
    ]


def from_sets(*names: str) -> list[Rule]:
    """One rule for frames whose source is in an address set."""
    match = Match(source_address_sets=names)
    return [Rule(name="listed", match=match, action=ToDevice(name="out"))]


def cpus(last: int) -> CPUs:
    """All CPUs up to `last`, by flow."""
    return CPUs(set=(Range(0, last),), spread_by=SpreadBy.FLOW)


def devices() -> DeviceGroup:
    """A spread over one device: all 256 slots are there."""
    return DeviceGroup(members=(GroupMember(name="out"),), spread_by=SpreadBy.FLOW)


def address_sets(total: int, most: int = SET_SIZE) -> list[XdpAddressSet]:
    """IPv4 networks of /20 to /32 without an address in common with 10.0.0.0/8, in sets of at most
    `most`. Lengths as in routing tables: a half are /24."""
    chosen = random.Random(total)
    found: set[Prefix] = set()
    while len(found) < total:
        length = chosen.choices((20, 22, 24, 28, 32), (5, 10, 50, 5, 30))[0]
        number = chosen.randrange(11 << 24, 224 << 24) >> (32 - length) << (32 - length)
        found.add(Prefix(number.to_bytes(4, "big"), length))
    ordered = sorted(found)
    chosen.shuffle(ordered)
    return [
        XdpAddressSet(name=f"set-{at // most}", cidrs=tuple(ordered[at : at + most]))
        for at in range(0, total, most)
    ]


def members(sets: Sequence[XdpAddressSet], count: int) -> list[bytes]:
    """`count` addresses, each in a random network of the sets."""
    chosen = random.Random(count)
    networks = [prefix for one in sets for prefix in one.cidrs]
    picked = (chosen.choice(networks) for _ in range(count))
    return [
        (int.from_bytes(p.address, "big") + chosen.randrange(1 << (32 - p.length))).to_bytes(
            4, "big"
        )
        for p in picked
    ]
