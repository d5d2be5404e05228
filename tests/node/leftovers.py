"""What nodes left on the machine, and taking it away where whoever made them was killed.

Called by the fixtures of tests/node and by its tests of the teardown. Network namespaces and the
lab's directories are tests/kernel/lab's to judge.
"""

import contextlib
import os
import shutil
import signal
from pathlib import Path

from tests.kernel.lab.residue import owner_of
from tests.kernel.lab.topology import NAME_PREFIX
from tests.node import cgroups, processes
from tests.node.machine import STORAGE_ROOT


def left(owner: int) -> list[str]:
    """Everything of the nodes that the process `owner` made, in words."""
    prefix = f"{NAME_PREFIX}{owner}-"
    return [
        *(f"process {pid} ({comm})" for pid, comm in processes.in_cgroup(prefix).items()),
        *(f"cgroup {name}" for name in cgroups.found(prefix)),
        *(f"mount {path}" for path in _mounts(prefix)),
        *(f"directory {path}" for path in STORAGE_ROOT.glob(f"{prefix}*")),
    ]


def sweep() -> list[str]:
    """Takes away what nodes of dead test runs left; names of what that was."""
    names = {path.name for path in STORAGE_ROOT.glob(f"{NAME_PREFIX}*")}
    names |= set(cgroups.found(NAME_PREFIX))
    dead = sorted(name for name in names if owner_of(name) is None)
    for name in dead:
        for pid in processes.in_cgroup(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        cgroups.remove(name)
        shutil.rmtree(STORAGE_ROOT / name, ignore_errors=True)
    return dead


def _mounts(prefix: str) -> list[str]:
    paths = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [path for path in paths if f"/{prefix}" in path]
