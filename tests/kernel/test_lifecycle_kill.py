"""kill -9 after every single action of a plan: the next pass gets there, nothing leaks, and what
ran before keeps redirecting until the new program takes its place."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.kernel.lab import Lab
from tests.kernel.lifecycle import intercept, want
from tests.kernel.switch import Switch, redirect, rule, switch, to_port, udp
from xdpredirect.agent.actions import Action
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.agent.store import Key

ALLOWED = 200
PORT = to_port(7)
TO_P1 = redirect(rule("a", PORT, "{type: Device, device: {name: p1}}"))
TO_P2 = redirect(
    rule("z", to_port(9), "{type: CPUs, cpus: {set: '0', then: {type: Drop}}}"),
    rule("a", PORT, "{type: Device, device: {name: p2}}"),
)


def killed_after(s: Switch, count: int) -> bool:
    """A pass of another process that dies by SIGKILL after `count` actions; False when the pass
    came to its end before."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with s.dut.enter():
                agent = MachineAgent(s.agent._settings)
                intercept(agent, dying_after(count))
                code = 0 if not agent.converge().failures else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def dying_after(count: int) -> Callable[[Action], bool]:
    left = count

    def die_when_due(action: Action) -> bool:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return False

    return die_when_due


def forget(s: Switch) -> None:
    """Removes the object from what is wanted; nothing is carried out."""
    s.agent.store.remove([Key("XdpRedirect", "o")])


def redirected_to(s: Switch) -> str:
    """Where one frame to port 7 came out."""
    counters = {name: s.far[name].counter() for name in ("p1", "p2")}
    stack = s.near["in"].counter()
    try:
        s.far["in"].send([udp(7)])
        for _ in range(ALLOWED):
            for name, counter in (*counters.items(), ("stack", stack)):
                if counter.wait(1, timeout=0.01):
                    return name
        raise AssertionError("the frame came out nowhere")
    finally:
        for counter in (*counters.values(), stack):
            counter.close()


@pytest.fixture
def s(lab: Lab) -> Iterator[Switch]:
    with switch(lab, "Native") as made:
        yield made
        forget(made)
        made.converge()
        assert made.dut.pins() == []


def test_create(s: Switch) -> None:
    count = 0
    while True:
        want(s, TO_P1)
        cut = killed_after(s, count)
        if cut:
            assert redirected_to(s) in ("stack", "p1")
        s.converge()
        assert redirected_to(s) == "p1"
        pins = s.dut.pins()
        forget(s)
        s.converge()
        assert s.dut.pins() == [], f"left after {count} actions"
        if not cut:
            break
        count += 1
    assert count > 5
    assert len([pin for pin in pins if pin.endswith("prog-redirect")]) == 1


def test_swap(s: Switch) -> None:
    """Old until the swap, new from then on; the network stack never sees the frame."""
    count, seen = 0, []
    while True:
        s.apply(TO_P1)
        assert redirected_to(s) == "p1"
        counted = s.counted("a").packets
        want(s, TO_P2)
        cut = killed_after(s, count)
        where = redirected_to(s)
        seen.append(where)
        s.converge()
        assert redirected_to(s) == "p2"
        assert s.counted("a").packets == counted + 2
        if not cut:
            break
        count += 1
    assert seen == ["p1"] * seen.count("p1") + ["p2"] * seen.count("p2")
    assert seen.count("p1") > 5
    assert seen.count("p2") > 1


def test_delete(s: Switch) -> None:
    count = 0
    while True:
        s.apply(TO_P1)
        forget(s)
        cut = killed_after(s, count)
        assert redirected_to(s) == ("p1" if count == 0 else "stack")
        s.converge()
        assert redirected_to(s) == "stack"
        assert s.dut.pins() == []
        if not cut:
            break
        count += 1
    assert count >= 2
