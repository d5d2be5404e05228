"""CPUs of the machine and interrupts of its devices, from sysfs and procfs.

Called by `kernel.host`. Neither file system is bound to a network namespace in the parts read.
"""

import json
import re
from pathlib import Path

from xdpredirect.host import Cpu

_CPUS = "devices/system/cpu"
# Actions of a NIC's interrupts that carry no frames: virtio, mlx5, ice and i40e, ena. The name of
# the interface may be part of an action, so a word for a queue outweighs these.
_CONTROL_IRQ = re.compile(r"config|async|misc|mgmnt|control|event|fault|ptp", re.IGNORECASE)
_QUEUE_IRQ = re.compile(r"rx|tx|input|output|comp\d|queue", re.IGNORECASE)


def read_cpus(sysfs: Path, kubelet_state: Path) -> tuple[Cpu, ...]:
    """Online CPUs by id. `kubelet_state` is the CPU manager's checkpoint file; where it cannot be
    read or is not one, no CPU is exclusive."""
    isolated = {
        cpu
        for file in (
            sysfs / _CPUS / "isolated",
            sysfs / _CPUS / "nohz_full",
            sysfs / "fs/cgroup/cpuset.cpus.isolated",
        )
        for cpu in parse_cpu_list(_read(file))
    }
    exclusive = _exclusive(kubelet_state)
    nodes = _nodes(sysfs)
    online = parse_cpu_list(_read(sysfs / _CPUS / "online"))
    return tuple(
        Cpu(
            id=cpu,
            numa_node=nodes.get(cpu, 0),
            siblings=parse_cpu_list(
                _read(sysfs / _CPUS / f"cpu{cpu}/topology/thread_siblings_list")
            )
            or (cpu,),
            isolated=cpu in isolated,
            exclusive=cpu in exclusive,
        )
        for cpu in online
    )


def read_irq_cpus(bus: str, sysfs: Path, procfs: Path) -> tuple[int, ...]:
    """CPUs that the queue interrupts of the PCI device at `bus` run on; empty without MSI."""
    try:
        irqs = [file.name for file in (sysfs / "bus/pci/devices" / bus / "msi_irqs").iterdir()]
    except OSError:
        return ()
    cpus: set[int] = set()
    for irq in irqs:
        # An interrupt without an action is not in use.
        actions = _read(sysfs / "kernel/irq" / irq / "actions").strip()
        if actions and (_QUEUE_IRQ.search(actions) or not _CONTROL_IRQ.search(actions)):
            cpus.update(parse_cpu_list(_read(procfs / "irq" / irq / "effective_affinity_list")))
    return tuple(sorted(cpus))


def read_numa_node(bus: str, sysfs: Path) -> int:
    """NUMA node of the PCI device at `bus`; -1 when unknown."""
    try:
        return int(_read(sysfs / "bus/pci/devices" / bus / "numa_node") or -1)
    except ValueError:
        return -1


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """`0-3,8` as (0, 1, 2, 3, 8), sorted; empty for an empty list. Items that are no numbers
    (nohz_full reads `(null)` where it is not set) count for nothing."""
    cpus: set[int] = set()
    for item in text.strip().split(","):
        first, _, last = item.partition("-")
        if first.isdigit() and (last or first).isdigit():
            cpus.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(cpus))


def _nodes(sysfs: Path) -> dict[int, int]:
    nodes = {}
    for directory in (sysfs / "devices/system/node").glob("node[0-9]*"):
        for cpu in parse_cpu_list(_read(directory / "cpulist")):
            nodes[cpu] = int(directory.name.removeprefix("node"))
    return nodes


def _exclusive(kubelet_state: Path) -> set[int]:
    """CPUs that kubelet's static policy gave to single containers."""
    try:
        state = json.loads(_read(kubelet_state) or "{}")
        pods = state.get("entries") or {}
        lists = [cpus for containers in pods.values() for cpus in containers.values()]
        return {cpu for cpus in lists for cpu in parse_cpu_list(cpus)}
    except (ValueError, AttributeError):
        # kubelet writes it in place, so a half-written file is normal: the next pass reads again.
        return set()


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
