"""Nodes leave nothing on the machine, however their end comes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.cluster import ROOT
from tests.cluster.waiting import until
from tests.kernel.lab import netns
from tests.kernel.lab.sweep import sweep
from tests.kernel.lab.topology import LAB_ROOT, NAME_PREFIX
from tests.node import leftovers, processes
from tests.node.machine import STORAGE_ROOT, Machine, NodeError
from tests.node.machines import Machines

# Runs a cluster of one node with a pod until somebody ends it.
PROGRAM = """
import signal
from tests.node.machines import Machines
from tests.node.test_machines import sleeper
with Machines("node-1") as machines:
    machines.cluster.create([sleeper("node-1")])
    machines.kubectl("wait", "--for=condition=Ready", "--timeout=180s", "pod/on-node-1")
    print("up", flush=True)
    signal.pause()
"""


def test_a_start_that_fails_leaves_nothing(
    machine_cluster: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = standing(os.getpid())

    def no_room(node: Machine, archive: Path) -> None:
        raise NodeError(f"{node.name}: no space left on device")

    monkeypatch.setattr(Machine, "load", no_room)
    with pytest.raises(NodeError, match="no space left"), Machines("node-8", "node-9"):
        pass
    assert standing(os.getpid()) == before


def test_an_interrupted_start_leaves_nothing() -> None:
    with running(PROGRAM) as child:
        until(lambda: list(STORAGE_ROOT.glob(f"{NAME_PREFIX}{child.pid}-*")), "a node is made")
        child.send_signal(signal.SIGINT)
        child.communicate()
        assert everything(child.pid) == []


def test_a_killed_run_ends_its_nodes_and_the_next_one_sweeps() -> None:
    with running(PROGRAM) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n", child.communicate()[1]
        prefix = f"{NAME_PREFIX}{child.pid}-"
        assert "pause" in processes.in_cgroup(prefix).values()
        child.kill()
        child.communicate()
        until(lambda: not processes.in_cgroup(prefix), "the kernel has ended what ran on the node")
        sweep()
        leftovers.sweep()
        assert everything(child.pid) == []


def standing(owner: int) -> list[str]:
    """That without the processes, which come and go on the nodes that go on; where there is no
    cgroup there is no process of a node."""
    return [what for what in everything(owner) if not what.startswith("process ")]


def everything(owner: int) -> list[str]:
    """What nodes and labs of that process left."""
    prefix = f"{NAME_PREFIX}{owner}-"
    found = [*netns.NETNS_DIR.glob(f"{prefix}*"), *LAB_ROOT.glob(f"{prefix}*")]
    return sorted([*leftovers.left(owner), *map(str, found)])


@contextmanager
def running(program: str) -> Iterator[subprocess.Popen[str]]:
    """Python in a process of its own, killed at the latest when the `with` ends."""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()
