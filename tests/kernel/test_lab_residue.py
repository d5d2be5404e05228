"""The residue check names what a test has left, and the sweep removes it."""

import ctypes
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

from tests.kernel.lab import Lab, bpf_ids, netns, residue
from tests.kernel.lab.sweep import sweep


def _leaked_map() -> int:
    """The descriptor of a new BPF array map called `leaked`."""
    attr = struct.pack("=IIIIIII16s", 2, 4, 4, 1, 0, 0, 0, b"leaked")
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.syscall(bpf_ids.SYSCALL, 0, ctypes.create_string_buffer(attr, 128), 128)
    assert fd >= 0, os.strerror(ctypes.get_errno())
    return fd


def test_residue_names_a_map_and_its_descriptor() -> None:
    before = residue.take()
    fd = _leaked_map()
    left = residue.left_since(before, grace=0.0)
    os.close(fd)
    assert len(left) == 2
    assert "BPF map" in left[0]
    assert "leaked" in left[0]
    assert left[1].startswith(f"fd {fd} -> anon_inode:bpf-map")
    assert residue.left_since(before) == []


def test_residue_names_namespace_directory_and_process() -> None:
    before = residue.take()
    lab = Lab()
    host = lab.host("a")
    with host.running(["sleep", "60"]) as process:
        (host.bpffs / "kept").mkdir()
        left = "\n".join(residue.left_since(before, grace=0.0))
    lab.close()
    for what in (f"network namespace {host.netns}", "bpf/kept", f"process {process.pid} "):
        assert what in left
    assert residue.left_since(before) == []


def test_residue_ignores_what_another_process_holds() -> None:
    before = residue.take()
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.kernel.test_lab_residue import _leaked_map\n"
        "fd = _leaked_map(); print(fd, flush=True)\n"
        "if os.fork(): os._exit(0)\n"
        "os.setsid(); print(os.getpid(), flush=True); sys.stdin.read()"
    )
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", script, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        orphan = int(process.stdout.readline())
        # The one we started ended; its child, adopted by init, holds the map now.
        while (Path("/proc") / str(process.pid)).exists() and process.poll() is None:
            time.sleep(0.01)
        assert Path("/proc", str(orphan)).exists()
        left = [line for line in residue.left_since(before, grace=0.0) if "BPF" in line]
    assert left == []


def test_sweep_removes_what_a_killed_lab_left() -> None:
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.kernel.lab import Lab\n"
        "host = Lab().host('a'); host.bpffs\n"
        "print(host.netns, flush=True); os.kill(os.getpid(), 9)"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", script, root], capture_output=True, text=True, check=False
    )
    name = done.stdout.strip()
    assert (netns.NETNS_DIR / name).exists()
    assert name in sweep()
    assert not (netns.NETNS_DIR / name).exists()
