"""CPUs and interrupts from a made-up sysfs and procfs: machines larger than this one."""

from pathlib import Path

import pytest

from xdpredirect.kernel.cpus import parse_cpu_list, read_cpus, read_irq_cpus, read_numa_node
from xdpredirect.kernel.host import parse_release

BUS = "0000:3b:00.1"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Four CPUs in two cores and two nodes; a NIC with two queue interrupts and one other."""
    files = {
        "sys/devices/system/cpu/online": "0-3",
        "sys/devices/system/cpu/isolated": "3",
        "sys/devices/system/cpu/nohz_full": "(null)",
        "sys/devices/system/node/node0/cpulist": "0,2",
        "sys/devices/system/node/node1/cpulist": "1,3",
        **{
            f"sys/devices/system/cpu/cpu{n}/topology/thread_siblings_list": s
            for n, s in enumerate(("0,2", "1,3", "0,2", "1,3"))
        },
        f"sys/bus/pci/devices/{BUS}/numa_node": "1",
        **{f"sys/bus/pci/devices/{BUS}/msi_irqs/{n}": "msix" for n in (40, 41, 42, 43)},
        "sys/kernel/irq/40/actions": "ice-eth1:misc",
        "sys/kernel/irq/41/actions": "ice-eth1-TxRx-0",
        "sys/kernel/irq/42/actions": "ice-eth1-TxRx-1",
        "sys/kernel/irq/43/actions": "",
        "proc/irq/40/effective_affinity_list": "0",
        "proc/irq/41/effective_affinity_list": "1",
        "proc/irq/42/effective_affinity_list": "2-3",
        "proc/irq/43/effective_affinity_list": "0",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return tmp_path


def test_topology(machine: Path) -> None:
    cpus = read_cpus(machine / "sys", machine / "none")
    assert [(c.id, c.numa_node, c.siblings, c.isolated) for c in cpus] == [
        (0, 0, (0, 2), False),
        (1, 1, (1, 3), False),
        (2, 0, (0, 2), False),
        (3, 1, (1, 3), True),
    ]


@pytest.mark.parametrize("file", ["devices/system/cpu/nohz_full", "fs/cgroup/cpuset.cpus.isolated"])
def test_other_ways_to_isolate(machine: Path, file: str) -> None:
    path = machine / "sys" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("1-2\n")
    isolated = [c.id for c in read_cpus(machine / "sys", machine / "none") if c.isolated]
    assert isolated == [1, 2, 3]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ('{"entries":{"p":{"a":"1-2"},"q":{"b":"0","c":"3"}}}', [0, 1, 2, 3]),
        ('{"policyName":"none","defaultCpuSet":"","checksum":1}', []),
        ('{"entries":null}', []),
        ('{"entries":{"p":{"a":"1', []),
        ("[]", []),
    ],
)
def test_exclusive(machine: Path, state: str, expected: list[int]) -> None:
    (machine / "state").write_text(state)
    cpus = read_cpus(machine / "sys", machine / "state")
    assert [c.id for c in cpus if c.exclusive] == expected


def test_interrupts_of_queues_only(machine: Path) -> None:
    assert read_irq_cpus(BUS, machine / "sys", machine / "proc") == (1, 2, 3)
    assert read_irq_cpus("0000:00:00.0", machine / "sys", machine / "proc") == ()


@pytest.mark.parametrize(
    ("actions", "counts"),
    [
        ("ice-eth1-TxRx-0", True),
        ("i40e-control0-TxRx-0", True),
        ("ice-control0:misc", False),
        ("virtio2-input.0", True),
        ("virtio2-config", False),
        ("mlx5_comp7@pci:0000:3b:00.1", True),
        ("mlx5_async0@pci:0000:3b:00.1", False),
        ("eth1-Tx-Rx-3", True),
        ("ena-mgmnt@pci:0000:3b:00.1", False),
        ("eth1", True),
    ],
)
def test_actions_of_drivers(machine: Path, actions: str, counts: bool) -> None:
    (machine / "sys/kernel/irq/42/actions").write_text(f"{actions}\n")
    cpus = read_irq_cpus(BUS, machine / "sys", machine / "proc")
    assert cpus == ((1, 2, 3) if counts else (1,))


def test_numa_node(machine: Path) -> None:
    assert read_numa_node(BUS, machine / "sys") == 1
    assert read_numa_node("0000:00:00.0", machine / "sys") == -1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("0-3,8\n", (0, 1, 2, 3, 8)),
        ("", ()),
        ("\n", ()),
        ("(null)\n", ()),
        ("5,1", (1, 5)),
        ("2-2", (2,)),
    ],
)
def test_cpu_lists(words: str, expected: tuple[int, ...]) -> None:
    assert parse_cpu_list(words) == expected


@pytest.mark.parametrize(
    ("release", "expected"),
    [("6.1.0-18-amd64", (6, 1)), ("5.15.0", (5, 15)), ("6.18.44-x", (6, 18)), ("odd", (0, 0))],
)
def test_releases(release: str, expected: tuple[int, int]) -> None:
    assert parse_release(release) == expected
