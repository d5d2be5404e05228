"""What the cgroups of the agent leave it, in both versions of cgroups and in a container."""

from pathlib import Path

import pytest

from xdpredirect.xsk import memory_limit
from xdpredirect.xsk.memory_limit import memory_left
from xdpredirect.xsk.refused_binds import RESERVED_OCTETS, no_room

NO_LIMIT = str(2**63 - 4096)


class Machine:
    """`/proc/self` and hierarchies as files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "self").mkdir()

    def mount(self, *mounts: str, cgroup: str) -> None:
        """`mounts` are what mountinfo has, with {root} for where they are."""
        lines = [f"35 31 0:32 {mount.format(root=self.root)}" for mount in mounts]
        (self.root / "self/mountinfo").write_text("\n".join(lines))
        (self.root / "self/cgroup").write_text(cgroup)

    def v1(self, path: str, limit: str, usage: int, cache: int = 0) -> None:
        stat = f"inactive_file 7\ntotal_inactive_file {cache}\ntotal_active_file 1\n"
        files = {"limit_in_bytes": limit, "usage_in_bytes": str(usage), "stat": stat}
        self._write(path, files)

    def v2(self, path: str, limit: str, usage: int, cache: int = 0) -> None:
        stat = f"inactive_file 1\nactive_file {cache}\nshmem 4096\n"
        self._write(path, {"max": limit, "current": str(usage), "stat": stat})

    def _write(self, path: str, files: dict[str, str]) -> None:
        directory = self.root / path
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / f"memory.{name}").write_text(f"{text}\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(memory_limit, "_SELF", tmp_path / "self")
    return Machine(tmp_path)


V1 = "/ {root}/memory rw - cgroup cgroup rw,memory"
V2 = "/ {root}/unified rw - cgroup2 cgroup2 rw"


def test_the_first_limit_on_the_way_up_counts(machine: Machine) -> None:
    machine.mount(V2, cgroup="0::/system.slice/agent.service\n")
    machine.v2("unified/system.slice/agent.service", "max", 100)
    machine.v2("unified/system.slice", "1000", 400, cache=49)
    (machine.root / "unified/cgroup.procs").touch()
    # What the kernel drops before it ends anybody is room.
    assert memory_left() == 1000 - 400 + 50
    machine.v2("unified/system.slice/agent.service", "300", 100)
    assert memory_left() == 201


def test_version_1_beside_a_version_2_without_memory(machine: Machine) -> None:
    cgroup = "9:name=systemd:/x\n4:memory:/pods/agent\n1:cpu,cpuacct:/\n0::/x\n"
    machine.mount("/ {root}/cpu rw - cgroup cgroup rw,cpu,cpuacct", V1, V2, cgroup=cgroup)
    machine.v1("memory", NO_LIMIT, 5000)
    machine.v1("memory/pods", "2000", 100)
    machine.v1("memory/pods/agent", "1000", 600, cache=99)
    (machine.root / "unified/x").mkdir(parents=True)
    assert memory_left() == 500


@pytest.mark.parametrize(
    ("mount", "cgroup"),
    [
        # A namespace of cgroups of its own, as with version 2.
        ("/ {root}/here rw - cgroup2 cgroup rw", "0::/\n"),
        # None, and the runtime has mounted the container's part.
        ("/pods/a/b {root}/here rw - cgroup2 cgroup rw", "0::/pods/a/b\n"),
    ],
)
def test_in_a_container_it_is_the_limit_of_the_container(
    machine: Machine, mount: str, cgroup: str
) -> None:
    machine.mount("/other {root}/there rw - cgroup2 cgroup rw", mount, cgroup=cgroup)
    machine.v2("here", "1000", 1)
    machine.v2("there", "5", 1)
    assert memory_left() == 1000


def test_no_limit_and_nothing_to_read_are_no_bound(machine: Machine) -> None:
    machine.mount(V2, cgroup="0::/a\n")
    assert memory_left() is None
    machine.v2("unified/a", "max", 100)
    assert memory_left() is None
    assert no_room(1 << 40, None) is None


def test_what_a_compilation_takes_is_no_room() -> None:
    assert no_room(8 << 20, RESERVED_OCTETS + (8 << 20)) is None
    refusal = no_room(8 << 20, RESERVED_OCTETS + (8 << 20) - 1)
    assert refusal is not None
    assert refusal.reason == "MemoryLimit"
    assert refusal.sentence == "the agent's memory limit leaves 8191 KiB for sockets, not 8192 KiB"
    assert no_room(64 * 2048, 0) is not None


def test_this_process() -> None:
    left = memory_left()
    assert left is None or left > 0
