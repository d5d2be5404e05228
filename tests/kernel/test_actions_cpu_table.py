"""CPUTable by every key: the keys and frames of the device tables, on CPUs."""

import pytest

from tests.kernel.cpu_counter import CPUS, CpuCounter, pinned
from tests.kernel.lab import Lab
from tests.kernel.switch import CATCH_ALL, address_set, both_modes, redirect, rule, switch
from tests.kernel.test_actions_tables import TABLES, A, Table, named


def object_of(table: Table) -> list[str]:
    """The first device of the table is CPU 0 here, the second one the last CPU."""
    entries = ", ".join(f"{{key: '{key}', cpu: {cpu_of(to)}}}" for key, to in table.entries.items())
    by_group = ", addressSet: {name: tiers}" if table.groups else ""
    action = f"cpuTable: {{keyBy: {table.key_by}{by_group}, entries: [{entries}]}}"
    found = [redirect(rule("r", CATCH_ALL, f"{{type: CPUTable, {action}, onMiss: Drop}}"))]
    return [address_set("tiers", **table.groups), *found] if table.groups else found


def cpu_of(device: str) -> int:
    """The CPU that stands for a device of the tables."""
    return 0 if device == A else CPUS - 1


@both_modes
@pytest.mark.parametrize("table", TABLES, ids=named)
def test_cpu_table(lab: Lab, mode: str, table: Table) -> None:
    wanted: dict[int, list[bytes]] = {}
    for frame, to in table.frames:
        if to:
            wanted.setdefault(cpu_of(to), []).append(frame)
    hits = sum(map(len, wanted.values()))
    with switch(lab, mode) as s:
        s.apply(*object_of(table))
        with CpuCounter(s.near["in"]) as counter, pinned(0):
            s.far["in"].send([frame for frame, _ in table.frames])
            taken = counter.read(hits)
        if mode == "Generic" and table.key_by == "VLAN":
            # The stack misreads them: test_actions_cpus_stack.py. Their CPU is the right one.
            assert {c: len(f) for c, f in taken.items()} == {c: len(f) for c, f in wanted.items()}
        else:
            assert taken == wanted
        counters = s.counted("r")
        assert (counters.packets, counters.misses) == (
            len(table.frames),
            len(table.frames) - hits,
        )


@both_modes
def test_groups_move_between_cpus_without_a_new_program(lab: Lab, mode: str) -> None:
    """The tier of a subscriber changes: one map entry, the same program."""
    (table,) = [t for t in TABLES if t.groups]
    frame = next(f for f, to in table.frames if to != A and to)
    with switch(lab, mode) as s:
        s.apply(*object_of(table))
        before = s.interface().program_id
        assert table.groups is not None
        moved = {**table.groups, "gold": ("198.51.100.64/26",), "lead": ("192.0.2.0/24",)}
        s.apply(address_set("tiers", **moved))
        with CpuCounter(s.near["in"]) as counter, pinned(0):
            s.far["in"].send([frame])
            assert list(counter.read(1)) == [0]
        assert s.interface().program_id == before
