"""The plan of one interface's datapath: programs, maps and what the maps hold.

Called by `agent.desired` with what `datapath.resolve` found out. The answer is plain data; its
digest names the generation, so equal plans are recognised in the kernel after any restart.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from xdpredirect.api.match import Prefix
from xdpredirect.api.redirect import Protect
from xdpredirect.datapath.abi import LOCAL_WORDS, local_bits, local_key
from xdpredirect.datapath.actions import collect_egress, render_action
from xdpredirect.datapath.assemble import assemble
from xdpredirect.datapath.builder import Builder
from xdpredirect.datapath.fields import DESTINATION, ICMP, PORTS, Field
from xdpredirect.datapath.mapspec import MapSpec, MapType
from xdpredirect.datapath.pieces import MapWanted, Place, ProgramWanted
from xdpredirect.datapath.questions import Side, local_addresses, questions
from xdpredirect.datapath.slots import RuleId
from xdpredirect.datapath.wanted import Machine, PlacedObject, PlacedRule, WantedInterface

INLINE_NETWORKS = 8
"""Networks of one direction of one rule that are compared in line; more go to the index."""
CONSTANT_ADDRESSES = 8
"""Local addresses that are constants in the program; more go to a hash map."""
_GUARD = {Protect.NODE: "node", Protect.LINK: "link"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Everything that an interface needs. `digest` has 12 hexadecimal digits and covers programs
    and map shapes, not map contents. `targets` says in words where each rule leads, `places`
    which keys of which map are whose."""

    digest: str
    frags: bool
    programs: tuple[ProgramWanted, ...]
    maps: tuple[MapWanted, ...]
    slots: Mapping[RuleId, int]
    targets: Mapping[RuleId, tuple[str, ...]]
    places: tuple[Place, ...]


def lay_out(
    wanted: WantedInterface, slots: Mapping[RuleId, int], machine: Machine, sources: str
) -> Layout:
    """Plan one interface. `slots` holds a counter slot for each rule, `sources` the digest of the
    C files. Raises LayoutConflict when two objects cannot share the interface."""
    builder = Builder(wanted, machine)
    collect_egress(builder)
    lines: list[str] = []
    for placed in wanted.objects:
        last = placed is wanted.objects[-1]
        lines += _object(builder, placed, slots, last)
    _protect(builder, wanted, machine)
    programs, maps = assemble(builder, lines)
    return Layout(
        digest=_digest(programs, maps, wanted.frags, sources),
        frags=wanted.frags,
        programs=programs,
        maps=maps,
        slots=slots,
        targets=dict(builder.targets),
        places=tuple(builder.places),
    )


def _object(
    builder: Builder, placed: PlacedObject, slots: Mapping[RuleId, int], last: bool
) -> list[str]:
    guard = _GUARD.get(placed.protect)
    before: list[str] = []
    body: list[str] = []
    for rule in placed.rules:
        found, text = _rule(builder, placed.name, rule, slots[placed.name, rule.rule.name])
        # What is found behind a guard would be missing for the objects after it.
        (body if last or not guard else before).extend(found)
        body += text
    guarded = [f"PROTECT({guard})", *body, "UNPROTECT"] if guard else body
    return [f"/* {placed.name} */", *before, *guarded]


def _rule(
    builder: Builder, owner: str, placed: PlacedRule, slot: int
) -> tuple[list[str], list[str]]:
    match = placed.rule.match
    source = _side(builder, match.source_cidrs, bool(match.source_address_sets), placed.source)
    destination = _side(
        builder,
        match.destination_cidrs,
        bool(match.destination_address_sets),
        placed.destination,
    )
    if source.list_bit is not None:
        builder.find("SOURCE")
    if destination.list_bit is not None:
        builder.find("DESTINATION")
    asked, used = questions(match, source, destination)
    builder.use(used)
    action = render_action(builder, owner, placed, slot)
    return builder.take_finds(), [f"RULE({slot})", *asked, *action, "END"]


def _side(
    builder: Builder, cidrs: tuple[Prefix, ...], by_set: bool, members: tuple[Prefix, ...]
) -> Side:
    if by_set or len(cidrs) > INLINE_NETWORKS:
        return Side(list_bit=builder.address_list((*cidrs, *members)))
    return Side(inline=cidrs)


def _protect(builder: Builder, wanted: WantedInterface, machine: Machine) -> None:
    kinds = {placed.protect for placed in wanted.objects}
    if kinds - {Protect.NONE}:
        builder.use(Field.ETHER_TYPE)
    if Protect.NODE not in kinds:
        return
    builder.use(DESTINATION | ICMP | PORTS)
    addresses = machine.local_addresses
    if len(addresses) <= CONSTANT_ADDRESSES:
        builder.define("LOCAL_ADDRESSES", local_addresses(addresses))
        return
    size = 1 << (2 * len(addresses) - 1).bit_length()
    builder.define("LOCAL_ADDRESSES", "")
    builder.add_map(
        "LOCAL",
        MapSpec("local", MapType.HASH, 20, 4, size),
        {local_key(address): bytes(4) for address in addresses},
    )
    bits = MapSpec("local_bits", MapType.ARRAY, 4, 8, LOCAL_WORDS)
    builder.add_map("LOCAL_BITS", bits, local_bits(addresses))


def _digest(
    programs: tuple[ProgramWanted, ...], maps: tuple[MapWanted, ...], frags: bool, sources: str
) -> str:
    text = repr((sources, frags, programs, [(m.number, m.spec, m.program) for m in maps]))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
