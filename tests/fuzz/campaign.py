"""Spreads a campaign over worker processes and adds up what they say.

Called by `__main__` and the kernel test. Work is handed out in blocks, so that a campaign can be
stopped at any time and continued at the first case that is missing.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Cases `first` up to, not including, `last` of a kind: valid, crowded, fallback (see
    `case.Shape`) or invalid. `cache` None keeps no compiled programs. Findings are written below
    `findings`."""

    kind: str
    seed: str
    first: int
    last: int
    frames: int = 30
    cache: Path | None = None
    findings: Path = Path("build/fuzz")


@dataclass(slots=True)
class Total:
    """Sums over the cases so far. `refused` counts objects that could not share an interface."""

    cases: int = 0
    objects: int = 0
    rules: int = 0
    frames: int = 0
    largest: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    finished: set[int] = field(default_factory=set)

    def add(self, seed: str, answer: dict[str, object]) -> None:
        """One line of a worker."""
        number = int(str(answer["number"]))
        self.finished.add(number)
        self.cases += 1
        self.objects += int(str(answer["objects"]))
        rules = int(str(answer.get("rules", 0)))
        self.rules += rules
        self.largest = max(self.largest, rules)
        self.frames += int(str(answer.get("frames", 0)))
        refused = answer.get("refused", [])
        assert isinstance(refused, list)
        self.refused += len({line.partition(":")[0] for line in refused if "Conflict" in line})
        if answer["failure"]:
            self.failures.append(f"{seed}/{number}: {answer['failure']}")

    def next_case(self, first: int) -> int:
        """The first case that is missing."""
        while first in self.finished:
            first += 1
        return first


def run(plan: Plan, jobs: int, report: Callable[[Total], None]) -> Total:
    """Work through the plan with `jobs` processes; `report` is told after every case."""
    total, lock = Total(), threading.Lock()
    blocks = iter(range(plan.first, plan.last, BLOCK))

    def work() -> None:
        while True:
            with lock:
                start = next(blocks, None)
            if start is None:
                return
            for answer in _block(plan, start, min(start + BLOCK, plan.last)):
                with lock:
                    total.add(plan.seed, answer)
                    report(total)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total


def _block(plan: Plan, start: int, end: int) -> Iterator[dict[str, object]]:
    """The lines of one worker; one that dies is a finding about the case it was at."""
    with tempfile.TemporaryDirectory(prefix="xdpredirect-fuzz-cache-") as scratch:
        arguments = [plan.kind, plan.seed, str(start), str(end), str(plan.frames)]
        places = [str(plan.cache or scratch), str(plan.findings)]
        command = [sys.executable, "-m", "tests.fuzz.worker", *arguments, *places]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            number = start
            for line in process.stdout:
                answer: dict[str, object] = json.loads(line)
                number = int(str(answer["number"])) + 1
                yield answer
    if process.returncode != 0:
        message = f"the worker ended with status {process.returncode}"
        yield {"number": number, "objects": 0, "failure": message}
