"""What the test_lifecycle_*.py share: agents that are cut off, waiting with an end, the machine's
own view of its links."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.kernel.switch import Switch
from xdpredirect.agent.act import Actor
from xdpredirect.agent.actions import Action
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.api.load import load_text
from xdpredirect.host import Link
from xdpredirect.kernel.host import observe_host

PATIENCE = 60.0


def intercept(agent: MachineAgent, skips: Callable[[Action], bool]) -> None:
    """`skips` sees every action before it is carried out; those it says True to are left out."""

    class Intercepted(Actor):
        def perform(self, action: Action) -> None:
            if not skips(action):
                Actor.perform(self, action)

    old = agent._actor
    agent._actor = Intercepted(old.pins, old.compiler, old.sources, old.by_link)


def want(s: Switch, *documents: str) -> None:
    """Only keeps the objects; nothing is carried out."""
    text = "\n---\n".join(documents).replace("MODE", s.mode)
    s.agent.store.put(load_text(text, "test").documents)


def until(holds: Callable[[], bool], what: str = "it") -> None:
    """Waits for a condition, at most PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen in {PATIENCE} s"
        time.sleep(0.01)


def links(s: Switch) -> dict[str, Link]:
    """Links of the host under test, by name."""
    with s.dut.enter():
        return {link.name: link for link in observe_host().links}


def received(s: Switch, name: str) -> int:
    """Frames that an interface of the host under test has received."""
    with s.dut.enter():
        text = Path("/proc/thread-self/net/dev").read_text()
    line = next(line for line in text.splitlines() if line.strip().startswith(f"{name}:"))
    return int(line.split(":")[1].split()[1])
