"""What Prometheus wants to know of every process, under the names that all libraries use.

Read from /proc at each scrape; called by whoever serves `/metrics`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from xdpredirect.metrics.metric import Sample, counter, gauge

RESIDENT = gauge("process_resident_memory_bytes", "Resident memory of the process")
CPU = counter("process_cpu_seconds_total", "CPU time of the process, children not included")
STARTED = gauge("process_start_time_seconds", "When the process started, seconds since 1970")
DESCRIPTORS = gauge("process_open_fds", "Open file descriptors of the process")
PROCESS = (RESIDENT, CPU, STARTED, DESCRIPTORS)
_PROC = Path("/proc")


def process_samples(proc: Path = _PROC) -> Iterator[Sample]:
    """One of each. Raises OSError where there is no /proc."""
    own = proc / "self"
    # The name of a program may hold spaces; what follows it is separated by them.
    fields = (own / "stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    yield RESIDENT.at(int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))
    yield CPU.at((int(fields[11]) + int(fields[12])) / ticks)
    yield STARTED.at(_booted(proc) + int(fields[19]) / ticks)
    yield DESCRIPTORS.at(sum(1 for _ in (own / "fd").iterdir()))


def _booted(proc: Path) -> float:
    lines = (proc / "stat").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("btime "))
