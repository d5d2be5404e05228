"""The cgroups of a node: one directory in every hierarchy, all that its pods make below it.

Called by `machine` and by the sweep of what a killed run left. Knows the hierarchies of version 1,
the one of version 2, and a mixture.
"""

import contextlib
import errno
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# What a new cgroup of version 1 has none of, and no process can enter without.
CPUSET = ("cpuset.cpus", "cpuset.mems")
EMPTY_SECONDS = 60.0


def unified() -> bool:
    """Whether there is version 2 alone."""
    return (ROOT / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """Mount points of all of them."""
    if unified():
        return [ROOT]
    # cpu and cpuacct may be one hierarchy, with a symbolic link for each name.
    return sorted({path.resolve() for path in ROOT.iterdir() if path.is_mount()})


def make(name: str) -> None:
    """The root of a node's cgroups, in which its kubelet makes the others."""
    if unified():
        controllers = (ROOT / "cgroup.controllers").read_text().split()
        enable = " ".join(f"+{controller}" for controller in controllers)
        (ROOT / "cgroup.subtree_control").write_text(enable)
    for hierarchy in hierarchies():
        made = hierarchy / name
        made.mkdir()
        if (hierarchy / CPUSET[0]).exists() and not unified():
            for file in CPUSET:
                (made / file).write_text((hierarchy / file).read_text())


def found(prefix: str) -> list[str]:
    """Names of nodes' roots that begin so."""
    names = {path.name for root in hierarchies() for path in root.glob(f"{prefix}*")}
    return sorted(names)


def remove(name: str) -> None:
    """Removes it with everything below. OSError when a process is still in one of them."""
    deadline = time.monotonic() + EMPTY_SECONDS
    for root in [hierarchy / name for hierarchy in hierarchies()]:
        while root.exists():
            try:
                _remove_tree(root)
            except OSError as error:
                # A process that was just killed is in it a moment longer.
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _remove_tree(root: Path) -> None:
    below = (path for path in root.rglob("*") if path.is_dir())
    for path in sorted(below, key=lambda path: len(path.parts), reverse=True):
        with contextlib.suppress(FileNotFoundError):
            path.rmdir()
    root.rmdir()
