"""Processes whose clock is wrong, as on a machine without NTP.

Used by test_failures_clock.py. libfaketime shifts the wall clock of one process; what counts
seconds there (CLOCK_MONOTONIC) is not shifted, as it is not by a wrong clock either.
"""

from pathlib import Path

from tests.cluster.process import Process

LIBRARIES = Path("/usr/lib")
SHARED = Path("/dev/shm")


def skewed(process: Process, offset: str) -> Process:
    """The same program, not started, with a clock that is off: "+45m", "-45m"."""
    found = sorted(LIBRARIES.glob("*/faketime/libfaketime.so.1"))
    assert found, "libfaketime is missing; run `make setup`"
    wrong = {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Files keep the times that the kernel gives them.
        "NO_FAKE_STAT": "1",
    }
    return Process(process.host, process.argv, process.log, {**process._env, **wrong})


def sweep() -> None:
    """Removes what libfaketime shares between processes, of those that were killed."""
    for path in SHARED.glob("*faketime_s*_*"):
        if not Path("/proc", path.name.rpartition("_")[2]).exists():
            path.unlink(missing_ok=True)
