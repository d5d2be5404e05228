"""Reads the counters of one interface out of the kernel.

Called by `agent.machine` and `cli.monitor_objects`.
"""

from collections.abc import Iterable

from xdpredirect.agent.pins import Pins
from xdpredirect.agent.report import RuleCounters
from xdpredirect.datapath.abi import COUNTER, U32, Slot
from xdpredirect.datapath.slots import RuleId, unpack_name
from xdpredirect.errors import KernelError
from xdpredirect.kernel.bpf import ENOENT
from xdpredirect.kernel.maps import pinned_map


def read_counters(pins: Pins, interface: str, slots: Iterable[int]) -> dict[int, RuleCounters]:
    """Sums over CPUs by slot, the slots that are not rules included; empty when nothing of ours
    is on the interface. Raises KernelError."""
    try:
        with pinned_map(pins.counters(interface)) as counters:
            return {
                slot: sum_counters(counters.get(U32.pack(slot)) or b"") for slot in {*Slot, *slots}
            }
    except KernelError as error:
        if error.errno == ENOENT:
            return {}
        raise


def sum_counters(values: bytes) -> RuleCounters:
    """One slot's struct counter of every CPU, added up."""
    packets = octets = misses = errors = 0
    for cpu in COUNTER.iter_unpack(values):
        packets += cpu[0]
        octets += cpu[1]
        misses += cpu[2]
        errors += cpu[3]
    return RuleCounters(packets=packets, octets=octets, misses=misses, errors=errors)


def read_cpus(pins: Pins, interface: str) -> dict[RuleId, tuple[RuleCounters, ...]]:
    """Counters of every rule by CPU number (possible CPUs); empty when nothing of ours is on the
    interface. Raises KernelError."""
    try:
        with pinned_map(pins.names(interface)) as names, pinned_map(pins.counters(interface)) as on:
            rules = {slot: unpack_name(value) for slot, value in names.items().items()}
            return {
                rule: tuple(
                    RuleCounters(packets=cpu[0], octets=cpu[1], misses=cpu[2], errors=cpu[3])
                    for cpu in COUNTER.iter_unpack(on.get(slot) or b"")
                )
                for slot, rule in rules.items()
                if rule is not None
            }
    except KernelError as error:
        if error.errno == ENOENT:
            return {}
        raise
