"""The agent dies in the middle of each of its writes: of the spec it keeps, of what it applied, of
its report, on disk and to the API server. Frames go the old way or the new, and the next one goes
on from what there is."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster import mortal
from tests.cluster.arena import EDGE_FRAME, Arena
from tests.cluster.faults import AGENT, dropped, killing, writes_to
from tests.cluster.front import ALWAYS
from tests.cluster.process import Process
from tests.cluster.waiting import until

FILE = "xdpredirect.edge.json"
CHANGED = (
    "open .node.json.tmp",
    "os.rename /node.json",
    f"open node/.{FILE}.tmp",
    f"os.rename node/{FILE}",
    f"os.rename applied/{FILE}",
    "os.rename /losses.json",
    "os.rename /status.json",
)
REMOVED = (
    "os.rename /node.json",
    f"os.remove node/{FILE}",
    f"os.remove applied/{FILE}",
    "os.rename /status.json",
)
REPORT = writes_to("/xdpredirectnodes/node-b/status$")


@dataclass(frozen=True, slots=True)
class Mortal:
    """`process` is the agent of node-b, `wish` its file."""

    process: Process
    wish: Path

    def dies_before(self, change: str) -> None:
        """The next change of a file like this is its last; at once, because it may run."""
        partial = self.wish.with_suffix(".new")
        partial.write_text(change)
        partial.rename(self.wish)


@pytest.fixture(autouse=True)
def agent(arena: Arena) -> Iterator[Mortal]:
    """In the place of the one that runs there otherwise."""
    node = arena.b.node
    before = node.agent
    wish = node.host.state_dir.parent / "wish"
    argv = [sys.executable, "-P", str(mortal.__file__), str(wish), *before.argv[3:]]
    before.stop()
    node.agent = Process(node.host, argv, before.log, node.host.environment)
    node.agent.start()
    try:
        with arena.mended():
            yield Mortal(node.agent, wish)
            wish.unlink(missing_ok=True)
    finally:
        node.agent.stop()
        node.agent = before
        before.start()


def way(arena: Arena) -> str:
    """Where frames for `edge` come out on node-b: all of them at one place."""
    counters = {name: port.counter(is_edge) for name, port in arena.b.far.items()}
    counters["stack"] = arena.b.near["in"].counter(is_edge)
    try:
        arena.b.far["in"].send([EDGE_FRAME] * 3)
        until(lambda: sum(len(c.wait(3, 0.01)) for c in counters.values()) >= 3, "they come out")
        found = {name: len(counter.settled()) for name, counter in counters.items()}
        (name,) = (name for name, number in found.items() if number)
        assert found[name] == 3, found
        return name
    finally:
        for counter in counters.values():
            counter.close()


def is_edge(frame: bytes) -> bool:
    return frame == EDGE_FRAME


def killed_at(
    arena: Arena, agent: Mortal, changes: tuple[str, ...], cause: Callable[[], object]
) -> Iterator[str]:
    """One agent after the other, each of which dies before the next of `changes`; yields the way of
    frames after each."""
    for number, change in enumerate(changes):
        agent.dies_before(change)
        if number == 0:
            cause()
        else:
            agent.process.start()
        arena.until(lambda: agent.process.pid is None, f"it dies before {change}")
        assert not agent.wish.exists(), "by its own hand"
        yield way(arena)


def test_killed_at_every_change_on_disk(arena: Arena, agent: Mortal) -> None:
    arena.edge("p1")
    arena.until_ready(1, "p1")
    ways = list(killed_at(arena, agent, CHANGED, arena.edge))
    agent.process.start()
    arena.until_ready(2)
    # No way back: once it is the new one it stays.
    assert ways == sorted(ways), ways
    assert {ways[0], ways[-1]} == {"p1", "p2"}

    ways = list(killed_at(arena, agent, REMOVED, arena.delete))
    agent.process.start()
    arena.until_gone()
    assert ways == sorted(ways), ways
    assert {ways[0], ways[-1]} == {"p2", "stack"}


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_a_report(arena: Arena, agent: Mortal, moment: str) -> None:
    arena.edge("p1")
    arena.until_ready(1, "p1")
    arena.front.fail(REPORT, killing(agent.process, moment))
    arena.edge()
    arena.until(lambda: agent.process.pid is None, "it dies while it reports")
    assert way(arena) == "p2"
    agent.process.start()
    arena.until_ready(2)

    arena.front.fail(REPORT, killing(agent.process, moment))
    arena.delete()
    arena.until(lambda: agent.process.pid is None, "it dies while it reports that it let go")
    assert way(arena) == "stack"
    if moment == "before":
        assert arena.exists(), "nobody knows that it let go"
    agent.process.start()
    arena.until_gone()


@pytest.mark.parametrize(
    ("change", "to"), [("os.rename /node.json", "p1"), (f"os.rename node/{FILE}", "p2")]
)
def test_what_is_on_disk_counts_without_an_api_server(
    arena: Arena, agent: Mortal, change: str, to: str
) -> None:
    """The old spec until node.json is the new one, however much of node/ is."""
    arena.edge("p1")
    arena.until_ready(1, "p1")
    list(killed_at(arena, agent, (change,), arena.edge))
    arena.front.fail(lambda asked: asked.client.startswith(AGENT), dropped, ALWAYS)
    arena.front.cut()
    record = arena.b.node.host.state_dir / "status.json"
    before = record.stat().st_mtime_ns
    agent.process.start()
    arena.until(lambda: record.stat().st_mtime_ns != before, "a pass of the new agent")
    assert way(arena) == to
    arena.front.heal()
    # The other one's pauses have grown with every attempt, in the test before this one, too.
    arena.a.node.agent.stop()
    arena.a.node.agent.start()
    arena.until_ready(2)
