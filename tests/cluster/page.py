"""A page of the documentation tried on a cluster: its commands, what they print, what happens
between them.

Called by test_docs. Commands run where the page says: on the administrator's machine or on a node.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster.binaries.families import path
from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.fleet import Fleet
from tests.cluster.waiting import until
from tests.kernel.documents import ANYTHING, Block
from tests.kernel.switch import udp

ANOTHER = "another cluster"
"""Where a page says this, the commands would take the ground from under the other tests."""
NODES = ("node-1", "node-2", "node-3")
PATIENCE_SECONDS = 150.0
DNS = udp(53)
# What they print may lag behind what they look at.
LOOKS = re.compile(
    r"kubectl (get|describe|auth can-i) |--dry-run=server"
    r"|xdpredirect status|ip .*link show|journalctl"
)
# What differs between two runs that do the same.
VARIES = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"(?<=\s)\d+s(?=\s|$)|(?<=\s)\d+m(\d+s)?(?=\s|$)"), "AGE"),
    (re.compile(r"\d+\.\d+\.\d+-[\w.-]+|\d+\.\d+\.\d+$"), "RELEASE"),
    (re.compile(r"(?<=Resource Version:)\s+\d+"), " VERSION"),
    (re.compile(r"(?<=revision )\d+|(?<=prog/xdp id )\d+.*"), "NUMBER"),
)


class Page:
    """`directory` is where its files and commands are; it has examples/, config/ and crds/."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        self.fleet, self.directory = fleet, directory
        for name in ("examples", "config", "crds"):
            (directory / name).symlink_to(ROOT / name)
        self._env = environment(fleet.cluster, directory)

    def follow(self, block: Block) -> None:
        """Tries one block; AssertionError with what was printed instead."""
        if block.file:
            (self.directory / block.file).write_text(block.text)
        if block.language != "console" or block.where in ("", ANOTHER):
            return
        if block.first:
            HAPPENINGS[block.first](self.fleet)
        commands = block.commands()
        for number, (command, shown) in enumerate(commands, 1):
            self._try(block, command, shown, block.exit if number == len(commands) else 0)

    def _try(self, block: Block, command: str, shown: list[str], wanted: int) -> None:
        told = ""

        def as_shown() -> bool:
            nonlocal told
            done = self._run(block.where, command)
            printed = done.stdout + (done.stderr or "")
            told = f"{block}: $ {command}\n{printed}exit {done.returncode}, not {wanted}?"
            return done.returncode == wanted and matches(shown, printed.splitlines())

        if LOOKS.match(command):
            until(as_shown, "what the page shows", PATIENCE_SECONDS, lambda: told)
        else:
            assert as_shown(), f"{told}\n{self.fleet.operator.process.tail()}"

    def _run(self, where: str, command: str) -> subprocess.CompletedProcess[str]:
        argv = ["sh", "-c", command]
        if where != "cluster":
            host = self.fleet.stations[where].node.host
            return host.run(argv, check=False, env=self._env)
        return subprocess.run(
            argv,
            cwd=self.directory,
            env={**os.environ, **self._env},
            # One stream, as on a terminal.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )


def environment(cluster: Cluster, directory: Path) -> dict[str, str]:
    """Of an administrator: kubectl and xdpredirect are found, kubectl speaks to this cluster."""
    programs = (path("kubectl").parent, Path(sys.executable).parent)
    return {
        "KUBECONFIG": str(cluster.kubeconfig),
        "KUBECACHEDIR": str(directory / "cache"),
        "PATH": ":".join([*map(str, programs), os.environ["PATH"]]),
        "NO_COLOR": "1",
    }


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether the lines are those, one after another; a line of `...` stands for any number."""
    wanted, found = [masked(line) for line in shown], [masked(line) for line in printed]
    while wanted and not wanted[-1]:
        wanted.pop()
    if not wanted:
        return True
    parts: list[list[str]] = [[]]
    for line in wanted:
        if line == ANYTHING:
            parts.append([])
        else:
            parts[-1].append(line)
    if len(parts) == 1:
        return found == parts[0]
    first, *middle, last = parts
    end = len(found) - len(last)
    if found[: len(first)] != first or found[end:] != last or end < len(first):
        return False
    at = len(first)
    for part in middle:
        starts = (i for i in range(at, end - len(part) + 1) if found[i : i + len(part)] == part)
        start = next(starts, None)
        if start is None:
            return False
        at = start + len(part)
    return True


def masked(line: str) -> str:
    """A line without what varies and without the widths of its columns."""
    for pattern, name in VARIES:
        line = pattern.sub(name, line)
    return " ".join(line.split())


def _lose(fleet: Fleet) -> None:
    """Nobody has set p1 down by accident before: the first thing that is told is that it is."""
    station = fleet.stations["node-2"]
    station.node.host.ip("link", "set", "p1", "down")
    fleet.until(
        lambda: fleet.condition("dns", "Degraded").get("reason") == "TargetDown",
        "the object tells that p1 is down",
        "dns",
    )
    station.far["in"].send([DNS] * 2000)


def _end_agent(fleet: Fleet) -> None:
    fleet.stations["node-3"].node.agent.kill()


def _start_agent(fleet: Fleet) -> None:
    fleet.stations["node-3"].node.agent.start()


def _end_operator(fleet: Fleet) -> None:
    fleet.operator.process.stop()


HAPPENINGS: Mapping[str, Callable[[Fleet], None]] = {
    "p1 of node-2 goes down and 2,000 queries arrive there": _lose,
    "the agent of node-3 ends": _end_agent,
    "the agent of node-3 starts": _start_agent,
    "the operator ends": _end_operator,
}
