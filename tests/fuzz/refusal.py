"""Broken documents through the real command: exit code, streams, and a kernel left as it was.

Called by `campaign` and the kernel test.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.invalid import broken_text, unclear
from tests.kernel.lab import residue

INVALID = 2
# Others may load programs on this machine meanwhile: what is really ours comes again.
ATTEMPTS = 3


def check_commands(seeds: Iterable[str], bpffs: Path, state_dir: Path) -> list[str]:
    """What `xdpredirect apply -f -` does wrong with the documents of these seeds."""
    return [f"{seed}: {wrong}" for seed in seeds if (wrong := _check(seed, bpffs, state_dir))]


def _check(seed: str, bpffs: Path, state_dir: Path) -> str:
    said, text = broken_text(seed)
    wrong = ""
    for _ in range(ATTEMPTS):
        before = residue.take()
        files = _files(bpffs, state_dir)
        done = _apply(text, bpffs, state_dir)
        wrong = _judge(done)
        if wrong:
            break
        if _files(bpffs, state_dir) != files:
            wrong = "the store or the pins changed"
            break
        left = residue.left_since(before, grace=0.5)
        wrong = f"left behind: {left}" if left else ""
        if not wrong:
            return ""
        time.sleep(0.5)
    return f"{said}: {wrong}"


def _apply(text: str, bpffs: Path, state_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "xdpredirect", "apply", "-f", "-"],
        check=False,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **os.environ,
            "XDPREDIRECT_BPFFS": str(bpffs),
            "XDPREDIRECT_STATE_DIR": str(state_dir),
        },
    )


def _judge(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode != INVALID:
        return f"exit code {done.returncode}: {done.stderr[-300:]}"
    if done.stdout:
        return f"standard output: {done.stdout[:300]}"
    bad = unclear(tuple(done.stderr.splitlines()))
    return f"unclear: {bad}" if bad else ""


def _files(*roots: Path) -> dict[Path, int]:
    """Everything below with the time of its last change."""
    return {path: path.stat().st_mtime_ns for root in roots for path in (root, *root.rglob("*"))}
