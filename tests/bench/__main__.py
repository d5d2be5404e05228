"""`make bench`: measures, prints a table, writes JSON and the pictures of docs/performance.md.

    python -m tests.bench [--quick] [--only GROUP] [--json FILE] [--plots DIR]

The group `cluster` needs a control plane and is measured only when it is named (`make
bench-cluster`).
Exit code 1 when a budget is missed.
"""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tests.bench import figures, monitor, peer, plot, sockets, testrun, throughput, times
from tests.bench.figures import Figure
from tests.bench.sample import Spread
from tests.kernel.lab.sweep import sweep

DEFAULT = ("testrun", "times", "throughput", "monitor", "sockets")
PLOTS = Path("docs/img")


def main() -> int:
    """Measure what the command line asks for."""
    options = _options()
    if os.geteuid() != 0:
        print("make bench needs root: XDP and network namespaces", file=sys.stderr)
        return 2
    console = Console(highlight=False)
    sweep()
    results: dict[str, Spread] = {}
    for group in options.only or DEFAULT:
        console.print(f"measuring {group} ...")
        results |= _MEASURE[group](options.quick)
    judged = figures.judge(results)
    console.print(figures.table(judged))
    machine = describe()
    console.print(", ".join(f"{key} {value}" for key, value in machine.items()))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(_json(machine, judged))
    console.print(f"written: {options.json}")
    if options.plots:
        _draw(results, options.plots)
    return int(any(figure.met is False for figure in judged))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, fewer rounds")
    parser.add_argument("--only", action="append", choices=(*_MEASURE,), help="may be repeated")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--plots", type=Path, nargs="?", const=PLOTS, help="write pictures")
    return parser.parse_args()


def _testrun(quick: bool) -> dict[str, Spread]:
    rounds = 5 if quick else 21
    found = figures.testrun(testrun.rules(rounds))
    found |= figures.testrun(testrun.mixed(rounds))
    found |= figures.testrun(testrun.protect(rounds))
    sizes = testrun.SET_SIZES[-1:] if quick else testrun.SET_SIZES
    return found | figures.testrun(testrun.sets(rounds // 2 + 1, sizes))


def _times(quick: bool) -> dict[str, Spread]:
    found = figures.times(times.converging(3 if quick else 11))
    found |= figures.times(times.loading(3 if quick else 7))
    found |= figures.times(times.starting(2 if quick else 7))
    return found | figures.times(times.idling(5, 10) if quick else times.idling(10, 60))


def _throughput(quick: bool) -> dict[str, Spread]:
    return figures.throughput(throughput.measure(*((20, 1) if quick else (60, 5))))


def _monitor(quick: bool) -> dict[str, Spread]:
    return monitor.frames(3 if quick else 7) | monitor.reading(3 if quick else 11)


def _sockets(quick: bool) -> dict[str, Spread]:
    return sockets.measure(*((10, 1, 20) if quick else (40, 5, 100)))


def _cluster(quick: bool) -> dict[str, Spread]:
    from tests.bench.cluster import measure  # noqa: PLC0415 - needs what only this group needs

    return measure.measure(*((50, 3, 2, 30.0) if quick else (1000, 40, 5, 60.0)))


_MEASURE = {
    "testrun": _testrun,
    "times": _times,
    "throughput": _throughput,
    "monitor": _monitor,
    "sockets": _sockets,
    "cluster": _cluster,
}


def describe() -> dict[str, str]:
    """The machine, as far as it matters to a reader."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    found = {"CPU": f"{os.cpu_count()} x {cpu}", "kernel": platform.release()}
    found["Python"] = platform.python_version()
    if (peer.TREE / "usr/sbin/xdp-bench").exists():
        found["xdp-tools"] = peer.version()
    return found


def _json(machine: dict[str, str], judged: list[Figure]) -> str:
    content = {
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": machine,
        "figures": [asdict(figure) for figure in judged],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _draw(results: dict[str, Spread], directory: Path) -> None:
    """perf-rules.svg and perf-sets.svg, of what was measured."""
    directory.mkdir(parents=True, exist_ok=True)
    by_rules = [
        (float(count), results[f"testrun.rules/{count}"].value)
        for count in testrun.RULES
        if f"testrun.rules/{count}" in results
    ]
    if by_rules:
        title = "Cost over a bare redirect_map by number of rules"
        drawn = plot.lines(title, "5-tuple rules, the last one hit", {"rules": by_rules})
        (directory / "perf-rules.svg").write_text(drawn)
    by_size = {
        kind: [
            (float(size), results[name].value)
            for size in testrun.SET_SIZES
            if (name := f"testrun.set/{size}/{kind}") in results
        ]
        for kind in ("cached", "uncached")
    }
    if all(by_size.values()):
        title = "Cost over a bare redirect_map by size of an address set"
        (directory / "perf-sets.svg").write_text(plot.lines(title, "networks", by_size))


sys.exit(main())
