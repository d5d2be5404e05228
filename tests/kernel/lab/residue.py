"""What a test left behind: BPF objects, pins, namespaces, processes, file descriptors.

Called by the autouse fixture of tests/kernel around every test.
"""

import contextlib
import gc
import os
import re
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from pathlib import Path

from tests.kernel.lab import bpf_ids
from tests.kernel.lab.netns import NETNS_DIR
from tests.kernel.lab.topology import LAB_ROOT, NAME_PREFIX

# The kernel frees programs, maps and links after RCU grace periods, from a work queue.
GRACE_SECONDS = 30.0
ID_IN_FDINFO = re.compile(r"^(prog|map|link)_id:\s*(\d+)$", re.MULTILINE)
KINDS = {"prog": "program", "map": "map", "link": "link"}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is counted, at one moment. Descriptors are (number, what it leads to)."""

    bpf: frozenset[bpf_ids.BpfObject]
    pins: frozenset[str]
    namespaces: frozenset[str]
    children: frozenset[tuple[int, str]]
    descriptors: frozenset[tuple[int, str]]


def take() -> Snapshot:
    """Looks now. Objects that only a reference cycle keeps are let go of first."""
    gc.collect()
    return Snapshot(
        bpf=bpf_ids.objects(),
        pins=_pins(),
        namespaces=frozenset(_namespaces()),
        children=frozenset(_descendants().items()),
        descriptors=_descriptors(),
    )


def left_since(
    before: Snapshot,
    grace: float = GRACE_SECONDS,
    spare: Callable[[], Container[int]] = frozenset,
    *,
    bpf: bool = True,
) -> list[str]:
    """Names what is here now and was not before, after waiting up to `grace` seconds for it to go.

    What another process holds is not ours: several people test on one machine. Processes whose ids
    are in `spare()` are meant to stay. Without `bpf` those objects are not looked at, for a test
    that makes none and so takes no turn.
    """
    deadline = time.monotonic() + grace
    while left := _difference(before, _now(before, bpf), spare()):
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return left


def _now(before: Snapshot, bpf: bool) -> Snapshot:
    now = take()
    return now if bpf else replace(now, bpf=before.bpf)


def _difference(before: Snapshot, now: Snapshot, spare: Container[int]) -> list[str]:
    bpf = now.bpf - before.bpf
    if bpf:
        held = _held_by_others()
        # Looked at again: another process may have had it open until just now.
        bpf = bpf_ids.objects() & {item for item in bpf if (item.kind, item.id) not in held}
    children = [(pid, name) for pid, name in now.children - before.children if pid not in spare]
    return [
        *(str(item) for item in sorted(bpf)),
        *(f"pin or mount {path}" for path in sorted(now.pins - before.pins)),
        *(f"network namespace {name}" for name in sorted(now.namespaces - before.namespaces)),
        *(f"process {pid} ({name})" for pid, name in sorted(children)),
        *(f"fd {fd} -> {path}" for fd, path in sorted(now.descriptors - before.descriptors)),
    ]


def _pins() -> frozenset[str]:
    """Directories of this process's labs, with every bpffs and what is pinned in it."""
    mine = f"{NAME_PREFIX}{os.getpid()}-"
    roots = [path for path in LAB_ROOT.glob("*") if path.name.startswith(mine)]
    return frozenset(str(path) for root in roots for path in (root, *root.rglob("bpf/**/*")))


def _namespaces() -> list[str]:
    """Named ones, except those of another living lab."""
    names = [path.name for path in NETNS_DIR.glob("*")]
    return [name for name in names if (owner_of(name) or os.getpid()) == os.getpid()]


def owner_of(name: str) -> int | None:
    """The process whose lab made that namespace or directory, or None if no living one did."""
    match = re.match(rf"{NAME_PREFIX}(\d+)-", name)
    if match is None or not Path("/proc", match[1]).exists():
        return None
    return int(match[1])


def _descriptors() -> frozenset[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    for entry in Path("/proc/self/fd").iterdir():
        # The descriptor that lists the directory is gone by now.
        with contextlib.suppress(OSError):
            found.add((int(entry.name), str(entry.readlink())))
    return frozenset(found)


def _descendants() -> dict[int, str]:
    """Children of this process and theirs, zombies included: names by pid."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                head, _, tail = (entry / "stat").read_text().rpartition(")")
                parents[int(entry.name)] = (int(tail.split()[1]), head.partition("(")[2])
    found: dict[int, str] = {}
    generation = {os.getpid()}
    while generation:
        generation = {pid for pid, (parent, _) in parents.items() if parent in generation}
        found.update({pid: parents[pid][1] for pid in generation})
    return found


def _held_by_others() -> frozenset[tuple[str, int]]:
    """(kind, id) of the BPF objects that processes outside this one's family have open."""
    family = {os.getpid(), *_descendants()}
    found: set[tuple[str, int]] = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in family:
            continue
        with contextlib.suppress(OSError):
            for info in (entry / "fdinfo").iterdir():
                with contextlib.suppress(OSError):
                    for kind, number in ID_IN_FDINFO.findall(info.read_text()):
                        found.add((KINDS[kind], int(number)))
    return frozenset(found)
