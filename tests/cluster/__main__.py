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
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.playground import Playground
from tests.kernel.lab.sweep import sweep

START_SECONDS, STOP_SECONDS = 300.0, 180.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the keeper says who it is and how to use what it keeps."""

    directory: Path = Path("/run/xdpredirect-cluster")

    @property
    def pid(self) -> Path:
        """Its process id; locked while it lives."""
        return self.directory / "pid"

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.directory / "log"

    @property
    def kubeconfig(self) -> Path:
        """The admin's."""
        return self.directory / "kubeconfig"

    @property
    def hints(self) -> Path:
        """Shell lines; there when everything runs."""
        return self.directory / "hints"

    def keeper(self) -> int:
        """The process that keeps the cluster, 0 for none. It holds a lock, so its id is not
        stale."""
        if not self.pid.exists():
            return 0
        with self.pid.open() as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(mark.read())
        return 0


def main() -> int:
    """Exit code: 1 when the cluster did not start, with the end of its log."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("what", choices=("up", "down", "keep"))
    parser.add_argument("--place", type=Path, default=Place().directory, metavar="DIRECTORY")
    given = parser.parse_args()
    if os.geteuid() != 0:
        print("make cluster needs root: network namespaces and XDP", file=sys.stderr)
        return 2
    return {"up": up, "down": down, "keep": keep}[given.what](Place(given.place))


def up(place: Place) -> int:
    """Starts the keeper unless one runs, waits until it is ready, and says how to use it."""
    place.directory.mkdir(exist_ok=True)
    if not place.keeper():
        place.hints.unlink(missing_ok=True)
        with place.log.open("wb") as log:
            keeping = subprocess.Popen(
                [sys.executable, "-m", "tests.cluster", "keep", "--place", str(place.directory)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not place.hints.exists():
            if keeping.poll() is not None or time.monotonic() > deadline:
                said = place.log.read_text()
                print(f"the cluster did not start:\n{said}", file=sys.stderr)
                return 1
            time.sleep(0.1)
    print(place.hints.read_text(), end="")
    return 0


def down(place: Place) -> int:
    """Ends the keeper and waits until everything of it is gone."""
    pid = place.keeper()
    if pid:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while place.keeper() == pid:
            if time.monotonic() > deadline:
                print(f"process {pid} has not ended yet; see {place.log}", file=sys.stderr)
                return 1
            time.sleep(0.1)
    # Of a keeper that was killed.
    sweep()
    shutil.rmtree(place.directory, ignore_errors=True)
    return 0


def keep(place: Place) -> int:
    """Holds a playground until SIGTERM."""
    with place.pid.open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        mark.write(str(os.getpid()))
        mark.flush()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        sweep()
        with Playground() as playground:
            place.kubeconfig.write_bytes(playground.cluster.kubeconfig.read_bytes())
            place.kubeconfig.chmod(0o600)
            partial = place.hints.with_suffix(".new")
            partial.write_text(playground.hints(place.kubeconfig))
            partial.rename(place.hints)
            while True:
                signal.pause()


if __name__ == "__main__":
    sys.exit(main())
