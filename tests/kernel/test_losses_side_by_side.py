"""The kernel documentation's recipes beside the drop monitor, over the same frames.

Recipes: Documentation/bpf/redirect.rst. They count whatever happens on the machine, so a run during
which somebody else's program lost a frame says nothing and is done again.
"""

import contextlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from errno import EMSGSIZE, ENETDOWN, ENXIO
from pathlib import Path

from tests.kernel.bytecode import redirect_map_by_octet
from tests.kernel.lab import Lab
from tests.kernel.scene import Scene, monitored
from xdpredirect.kernel.tracer import LossKey, read_losses

COUNT = "tracepoint:xdp:* { @cnt[probe] = count(); }"
ERRNO = (
    "tracepoint:xdp:xdp_redirect*_err {@redir_errno[-args->err] = count();} "
    "tracepoint:xdp:xdp_devmap_xmit {@devmap_errno[-args->err] = count();}"
)
# -e xdp:xdp_redirect_map_err of the recipe is an unknown event since Linux 6.17.
RECORDED = ("xdp:xdp_redirect_err", "xdp:xdp_devmap_xmit", "xdp:xdp_exception")
REDIRECT_ERR, EXCEPTION, XMIT = 1, 2, 3
OCTET = 20
DOWN, SMALL, ABSENT, DEAF, FINE = range(5)
SENT = {DOWN: 300, SMALL: 200, ABSENT: 100, DEAF: 400, FINE: 500}
LONG = 2000
ATTEMPTS = 5


@dataclass
class Recipe:
    """What bpftrace printed: counts by map name, then by key."""

    maps: dict[str, dict[str, int]] = field(default_factory=dict)


@contextlib.contextmanager
def bpftrace(program: str, pause: Path) -> Iterator[Recipe]:
    """Runs from when all probes are attached to the end; from then on the counts are there."""
    recipe: list[str] = []
    found = Recipe()
    with until_told(["bpftrace", "-f", "json", "-e", program, "-c", f"/bin/sh {pause}"], recipe):
        yield found
    for line in "".join(recipe).splitlines():
        if line.startswith("{") and (document := json.loads(line))["type"] == "map":
            found.maps |= document["data"]


@contextlib.contextmanager
def perf(path: Path, pause: Path) -> Iterator[None]:
    """`perf record` of RECORDED on all CPUs into a file."""
    events = [word for event in RECORDED for word in ("-e", event)]
    with until_told(["perf", "record", "-q", "-o", str(path), "-a", *events, "sh", str(pause)], []):
        yield


@contextlib.contextmanager
def until_told(argv: list[str], said: list[str]) -> Iterator[None]:
    """A recorder that starts a command once it records and stops when that ends; the command is
    `pause`. Its output goes to `said`."""
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            said.append(line)
            if line == "ready\n":
                break
        else:
            raise AssertionError("".join(said))
        yield
    finally:
        rest, _ = process.communicate("\n", timeout=120)
        said.append(rest)
    assert process.returncode == 0, "".join(said)


def pause_in(directory: Path) -> Path:
    """A command that says "ready" and waits for a line."""
    path = directory / "pause"
    path.write_text("echo ready\nread -r _\n")
    return path


def script(path: Path) -> list[tuple[str, dict[str, str]]]:
    """The recorded events: name and fields."""
    argv = ["perf", "script", "-i", str(path), "-F", "event,trace"]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"xdp:(\w+): (.*)", text)
    return [(name, dict(re.findall(r"(\w+)=(\S+)", fields))) for name, fields in found]


@dataclass(frozen=True)
class Run:
    """Everything that the four said about one run."""

    counts: Mapping[str, int]
    errors: Mapping[str, Mapping[str, int]]
    recorded: list[tuple[str, dict[str, str]]]
    ours: dict[LossKey, int]
    everything: dict[LossKey, int]


def observed(scene: Scene, path: Path) -> Run:
    """Sends SENT while all four look."""
    before, pause = scene.counted(), pause_in(path.parent)
    with monitored(scene.dut.bpffs / "everything", None) as everything:
        with (
            bpftrace(COUNT, pause) as counts,
            bpftrace(ERRNO, pause) as errors,
            perf(path, pause),
        ):
            for octet, number in SENT.items():
                frame = bytearray(scene.frame(LONG if octet == SMALL else 64))
                frame[OCTET] = octet
                scene.source.send([bytes(frame)] * number)
            scene.dut.run(["sleep", "0.3"])
        all_losses = read_losses(*everything)
    added = {key: n - before.get(key, 0) for key, n in scene.counted().items()}
    probes = {name.rpartition(":")[2]: n for name, n in counts.maps.get("@cnt", {}).items()}
    return Run(probes, errors.maps, script(path), added, all_losses)


def by_event(losses: Mapping[LossKey, int]) -> Counter[tuple[int, int]]:
    """Frames by event and errno."""
    found: Counter[tuple[int, int]] = Counter()
    for key, packets in losses.items():
        found[key.event, key.error] += packets
    return found


def test_the_recipes_and_the_monitor_count_the_same(lab: Lab, tmp_path: Path) -> None:
    with ExitStack() as stack:
        scene = Scene(lab, stack, mtu=3000)
        ports = {
            DOWN: scene.wire("p2", "b", mtu=3000),
            SMALL: scene.wire("p3", "c", mtu=1500),
            DEAF: scene.wire("p4", "d", mtu=3000),
            FINE: scene.wire("p5", "e", mtu=3000),
        }
        scene.run(redirect_map_by_octet(scene.devices(ports).fd, OCTET))
        scene.dut.ip("link", "set", "p2", "down")
        lab.host("d").ip("link", "set", "eth0", "down")
        for attempt in range(ATTEMPTS):
            run = observed(scene, tmp_path / f"perf{attempt}.data")
            if run.ours == run.everything and run.counts.get("xdp_redirect") == 900:
                break
        else:
            raise AssertionError(f"other programs lose frames all the time: {run.everything}")
        expected = {
            (REDIRECT_ERR, ENETDOWN): SENT[DOWN],
            (REDIRECT_ERR, EMSGSIZE): SENT[SMALL],
            (EXCEPTION, 0): SENT[ABSENT],
            (XMIT, ENXIO): SENT[DEAF],
        }
        assert by_event(run.ours) == expected
        _bpftrace_agrees(run)
        _perf_agrees(run, scene)


def _bpftrace_agrees(run: Run) -> None:
    assert run.counts["xdp_redirect_err"] == SENT[DOWN] + SENT[SMALL]
    assert run.counts["xdp_exception"] == SENT[ABSENT]
    refused = {str(ENETDOWN): SENT[DOWN], str(EMSGSIZE): SENT[SMALL]}
    assert run.errors["@redir_errno"] == refused
    # An event of this kind is a bulk of up to 16 frames; bpftrace counts bulks, the monitor frames.
    bulks = sum(name == "xdp_devmap_xmit" for name, _ in run.recorded)
    assert run.counts["xdp_devmap_xmit"] == sum(run.errors["@devmap_errno"].values()) == bulks
    assert 0 < run.errors["@devmap_errno"][str(ENXIO)] <= SENT[DEAF]


def _perf_agrees(run: Run, scene: Scene) -> None:
    found: Counter[tuple[int, int]] = Counter()
    numbers = {
        "xdp_redirect_err": REDIRECT_ERR,
        "xdp_devmap_xmit": XMIT,
        "xdp_exception": EXCEPTION,
    }
    for name, fields in run.recorded:
        lost = int(fields.get("drops", 1))
        if lost:
            found[numbers[name], -int(fields.get("err", 0))] += lost
        if "prog_id" in fields:
            assert int(fields["prog_id"]) == scene.program
    assert found == by_event(run.ours)
