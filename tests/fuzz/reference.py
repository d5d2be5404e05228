"""What must happen to a frame: the rules that count it, in order, and the verdict.

Called by `valid`. The matcher of tests/spec decides which rule takes a frame; this module decides
from the object's words whether the rule's target exists for it. It shares no code with the agent's
resolver or with the program.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.fuzz.case import Case
from tests.spec.generate import Frame
from tests.spec.matcher import Node, first_rule, parse, protected
from tests.spec.packet import Packet, number
from tests.spec.tunnel import GENEVE_PORT, VXLAN_PORT, _udp_payload, tunnel_endpoint_id
from xdpredirect.api.action import (
    AutoCPUs,
    Avoid,
    Broadcast,
    CPUEntry,
    CPUs,
    CPUTable,
    DeviceEntry,
    DeviceGroup,
    DeviceTable,
    Drop,
    KeyBy,
    OnMiss,
    Pass,
    Route,
    Sockets,
    ToDevice,
    Tx,
)
from xdpredirect.api.match import Prefix
from xdpredirect.api.redirect import InterfaceTerm, Rule, XdpRedirect
from xdpredirect.host import Cpu, Link

ABORTED, DROPPED, PASSED, SENT_BACK, REDIRECTED = range(5)
_MISSES = {
    OnMiss.PASS: PASSED,
    OnMiss.DROP: DROPPED,
    OnMiss.TX: SENT_BACK,
    OnMiss.ABORT: ABORTED,
}
RuleId = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`counted` are the rules that count the frame, `missed` those of them without a target.
    `through` is a frame that no rule decided about, `spared` one that an object left alone."""

    verdict: int
    counted: tuple[RuleId, ...]
    missed: frozenset[RuleId]
    through: bool = False
    spared: bool = False


def outcome(case: Case, objects: Sequence[XdpRedirect], frame: Frame, linear: int) -> Outcome:
    """`linear` octets of the frame are in the first buffer."""
    packet = parse(frame.data, linear)
    local = frozenset(address for address in case.arrival.addresses if not _loopback(address))
    rules = {(each.name, rule.name): rule for each in objects for rule in each.spec.rules}
    by_name = {each.name: each for each in objects}
    passed: list[RuleId] = []
    while True:
        node = Node(sets=case.sets, local_addresses=local, misses=frozenset(passed))
        found = first_rule(objects, packet, case.context, node)
        if found is None:
            spared = any(protected(each.spec.protect, packet, local) for each in objects)
            return Outcome(PASSED, tuple(passed), frozenset(passed), True, spared)
        rule = rules[found]
        if has_target(case, by_name[found[0]], rule, packet):
            return Outcome(_verdict(rule), (*passed, found), frozenset(passed))
        if rule.on_miss is not OnMiss.CONTINUE:
            missed = frozenset((*passed, found))
            return Outcome(_MISSES[rule.on_miss], (*passed, found), missed)
        passed.append(found)


def _loopback(address: bytes) -> bool:
    return address[0] == 127 if len(address) == 4 else address == bytes(15) + b"\1"


def _verdict(rule: Rule) -> int:
    match rule.action:
        case Pass():
            return PASSED
        case Drop():
            return DROPPED
        case Tx():
            return SENT_BACK
        case _:
            return REDIRECTED


def has_target(case: Case, redirect: XdpRedirect, rule: Rule, packet: Packet) -> bool:
    """Whether the rule can do with the frame what it says."""
    action = rule.action
    match action:
        case Pass() | Drop() | Tx():
            return True
        case Route() | Sockets():
            return False  # the namespace has no routes, and nobody takes a socket
        case ToDevice(name=name):
            return bool(_links(case, redirect, name))
        case DeviceGroup(members=members):
            targets = [_links(case, redirect, member.name)[:1] for member in members]
            return any(link.up and link.carrier for found in targets for link in found)
        case Broadcast():
            return any(
                link.up and not (action.exclude_ingress and link is case.arrival)
                for name in action.devices
                for link in _links(case, redirect, name)
            )
        case CPUs():
            return any(_chosen(action, cpu, case.arrival) for cpu in case.host.cpus)
        case DeviceTable():
            entry = _entry(case, action, packet)
            return isinstance(entry, DeviceEntry) and bool(_links(case, redirect, entry.device))
        case CPUTable():
            entry = _entry(case, action, packet)
            return isinstance(entry, CPUEntry) and entry.cpu in {c.id for c in case.host.cpus}


def _links(case: Case, redirect: XdpRedirect, name: str) -> list[Link]:
    """Devices that a name stands for, by ifindex."""
    links = [case.arrival, case.other]
    entry = next((device for device in redirect.spec.devices if device.name == name), None)
    if entry is None or not entry.select:
        return [link for link in links if name in (link.name, *link.alt_names)]
    for term in entry.select:
        found = [link for link in links if _selects(term, link)]
        if found:
            return found
    return []


def _selects(term: InterfaceTerm, link: Link) -> bool:
    names = (link.name, *link.alt_names)

    def named(globs: Iterable[str]) -> bool:
        return any(fnmatchcase(name, glob) for name in names for glob in globs)

    return (
        (not term.names or named(term.names))
        and not named(term.exclude_names)
        and (not term.drivers or link.driver in term.drivers)
        and not term.pci_addresses
        and (not term.mac_addresses or link.mac in term.mac_addresses)
    )


def _chosen(action: CPUs, cpu: Cpu, arrival: Link) -> bool:
    if action.auto is None:
        return any(first <= cpu.id <= last for first, last in action.set)
    return not _avoided(action.auto, cpu, arrival)


def _avoided(auto: AutoCPUs, cpu: Cpu, arrival: Link) -> bool:
    """Every CPU is a core of its own, so siblings take nothing away."""
    return (
        (Avoid.IRQ in auto.avoid and cpu.id in arrival.irq_cpus)
        or (Avoid.ISOLATED in auto.avoid and cpu.isolated)
        or (Avoid.EXCLUSIVE in auto.avoid and cpu.exclusive)
        or (auto.numa_ingress and arrival.numa_node >= 0 and cpu.numa_node != arrival.numa_node)
    )


def _entry(
    case: Case, table: DeviceTable | CPUTable, packet: Packet
) -> DeviceEntry | CPUEntry | None:
    """The entry of a table that the frame's key leads to."""
    if table.key_by in (KeyBy.SOURCE_IP, KeyBy.DESTINATION_IP):
        return _longest(case, table, packet)
    if table.key_by is KeyBy.INGRESS_INTERFACE:
        names = (case.arrival.name, *case.arrival.alt_names)
        return next((entry for entry in table.entries if entry.key in names), None)
    key = _key(table.key_by, packet)
    return next((entry for entry in table.entries if key is not None and entry.key == key), None)


def _key(key_by: KeyBy, packet: Packet) -> int | bytes | None:
    ethernet, network = packet.ethernet, packet.network
    keys: Mapping[KeyBy, int | bytes | None] = {
        KeyBy.VLAN: ethernet.vlan_ids[0] if ethernet and ethernet.vlan_ids else None,
        KeyBy.DSCP: network.dscp if network else None,
        KeyBy.RX_QUEUE: 0,
        KeyBy.SOURCE_MAC: ethernet.source if ethernet else None,
        KeyBy.DESTINATION_MAC: ethernet.destination if ethernet else None,
        KeyBy.TEID: tunnel_endpoint_id(packet),
        KeyBy.VNI: _vni(packet),
    }
    return keys[key_by]


def _vni(packet: Packet) -> int | None:
    data = packet.data
    for port, valid in ((VXLAN_PORT, lambda o: o & 0x08), (GENEVE_PORT, lambda o: not o >> 6)):
        start = _udp_payload(packet, port)
        if start is not None and len(data) >= start + 8 and valid(data[start]):
            return number(data, start + 4, 3)
    return None


def _longest(
    case: Case, table: DeviceTable | CPUTable, packet: Packet
) -> DeviceEntry | CPUEntry | None:
    """The entry of the longest network around the address."""
    if packet.network is None:
        return None
    source = table.key_by is KeyBy.SOURCE_IP
    address = packet.network.source if source else packet.network.destination
    best: tuple[int, DeviceEntry | CPUEntry] | None = None
    for entry in table.entries:
        for prefix in _prefixes(case, table, entry):
            longer = best is None or prefix.length > best[0]
            if longer and _holds(prefix, address):
                best = prefix.length, entry
    return best[1] if best else None


def _prefixes(
    case: Case, table: DeviceTable | CPUTable, entry: DeviceEntry | CPUEntry
) -> tuple[Prefix, ...]:
    if isinstance(entry.key, Prefix):
        return (entry.key,)
    groups = case.sets[table.address_set].groups if table.address_set else ()
    return next((cidrs for name, cidrs in groups if name == entry.key), ())


def _holds(prefix: Prefix, address: bytes) -> bool:
    bits = len(address) * 8 - prefix.length
    return len(prefix.address) == len(address) and (
        int.from_bytes(prefix.address, "big") >> bits == int.from_bytes(address, "big") >> bits
    )
