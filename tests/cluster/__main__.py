"""`python -m tests.cluster up | down`: a cluster to play with, kept by a process of its own.

`make cluster` and `make cluster-down` call it. `keep` is that process: it holds everything that is
running, and its end, by SIGTERM or by accident, ends all of it.
"""

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster.playground import Playground
from tests.kernel.lab.sweep import sweep

PLACE = Path("/run/xdpredirect-cluster")
PID, LOG, KUBECONFIG, HINTS = PLACE / "pid", PLACE / "log", PLACE / "kubeconfig", PLACE / "hints"
START_SECONDS, STOP_SECONDS = 180.0, 60.0


def main() -> int:
    """Exit code: 1 when the cluster did not start, with the end of its log."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("what", choices=("up", "down", "keep"))
    what = parser.parse_args().what
    if os.geteuid() != 0:
        print("make cluster needs root: network namespaces and XDP", file=sys.stderr)
        return 2
    return {"up": up, "down": down, "keep": keep}[what]()


def up() -> int:
    """Starts the keeper unless one runs, waits until it is ready, and says how to use it."""
    PLACE.mkdir(exist_ok=True)
    if not keeper():
        HINTS.unlink(missing_ok=True)
        with LOG.open("wb") as log:
            keeping = subprocess.Popen(
                [sys.executable, "-m", "tests.cluster", "keep"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not HINTS.exists():
            if keeping.poll() is not None or time.monotonic() > deadline:
                print(f"the cluster did not start:\n{LOG.read_text()}", file=sys.stderr)
                return 1
            time.sleep(0.1)
    print(HINTS.read_text(), end="")
    return 0


def down() -> int:
    """Ends the keeper and waits until everything of it is gone."""
    pid = keeper()
    if pid:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while keeper() == pid:
            if time.monotonic() > deadline:
                print(f"process {pid} has not ended yet; see {LOG}", file=sys.stderr)
                return 1
            time.sleep(0.1)
    # Of a keeper that was killed.
    sweep()
    shutil.rmtree(PLACE, ignore_errors=True)
    return 0


def keep() -> int:
    """Holds a playground until SIGTERM."""
    with PID.open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        mark.write(str(os.getpid()))
        mark.flush()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        sweep()
        with Playground() as playground:
            KUBECONFIG.write_bytes(playground.cluster.kubeconfig.read_bytes())
            KUBECONFIG.chmod(0o600)
            partial = HINTS.with_suffix(".new")
            partial.write_text(playground.hints(KUBECONFIG))
            partial.rename(HINTS)
            while True:
                signal.pause()


def keeper() -> int:
    """The process that keeps the cluster, 0 for none: it holds a lock, so its id is not stale."""
    if not PID.exists():
        return 0
    with PID.open() as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(mark.read())
    return 0


if __name__ == "__main__":
    sys.exit(main())
