"""Swaps under continuous traffic: no frame is lost, and no counter ever goes back."""

import os

import pytest

from tests.kernel.lab import Lab
from tests.kernel.lifecycle import intercept, want
from tests.kernel.switch import Switch, redirect, rule, switch, to_port, udp
from xdpredirect.agent.actions import FreeSlots, RemoveGeneration, Swap
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.kernel.bpf import open_pin, program_info

FRAME = udp(7)
DEVICE = "{type: Device, device: {name: p1}}"
ONE = redirect(rule("a", to_port(7), DEVICE), rule("b", to_port(8), DEVICE))
TWO = redirect(
    rule("c", to_port(9), "{type: Drop}"),
    rule("b", to_port(8), DEVICE),
    rule("a", to_port(7), DEVICE),
)


def test_rule_sets_swapped_50_times_by_whole_passes(lab: Lab) -> None:
    with switch(lab, "Native", ("in", "p1")) as s:
        for documents in (ONE, TWO):
            s.apply(documents)
        last = 0
        with s.far["p1"].counter() as arrived:
            with s.far["in"].stream(lambda _: FRAME, rate=3000) as stream:
                for n in range(50):
                    if n % 10 == 9:
                        # Another process of the same agent: it knows only what the kernel holds.
                        s.agent = MachineAgent(s.agent._settings)
                    before = s.interface().program_id
                    s.apply((ONE, TWO)[n % 2])
                    assert s.interface().program_id != before
                    now = s.counted("a").packets
                    assert now >= last
                    last = now
                    arrived.drain()
            arrived.exactly(stream.sent)
        assert stream.sent > 200
        assert s.counted("a").packets == stream.sent
        assert s.interface().unmatched.packets == 0


@pytest.mark.parametrize("attach", ["link", "netlink"])
def test_1000_swaps(lab: Lab, attach: str) -> None:
    """Between two whole generations, by the agent's own action."""
    with switch(lab, "Native", ("in", "p1")) as s:
        s.agent._actor.by_link = attach == "link"
        digests = _two_generations(s)
        link = s.near["in"]
        running = s.interface().program_id
        with s.far["p1"].counter() as arrived, s.dut.enter():
            with s.far["in"].stream(lambda _: FRAME, rate=5000) as stream:
                for n in range(1000):
                    digest = digests[n % 2]
                    s.agent._actor.perform(
                        Swap(
                            interface="in",
                            generation=digest,
                            ifindex=link.ifindex,
                            old_program=running,
                        )
                    )
                    report = s.agent.observe_report().interfaces[0] if n % 100 == 0 else None
                    running = _program(s, digest)
                    assert report is None or report.program_id == running
                    arrived.drain()
            arrived.exactly(stream.sent)
        assert stream.sent > 100
        s.converge()
        assert s.counted("a").packets == stream.sent


def _two_generations(s: Switch) -> tuple[str, str]:
    """Digests of ONE and TWO, both whole in the kernel; TWO runs."""
    s.apply(ONE)
    first = s.interface().program
    agent = MachineAgent(s.agent._settings)
    agent._actor.by_link = s.agent._actor.by_link
    intercept(agent, lambda action: isinstance(action, RemoveGeneration | FreeSlots))
    want(s, TWO)
    with s.dut.enter():
        agent.converge()
    return first, s.interface().program


def _program(s: Switch, digest: str) -> int:
    fd = open_pin(s.agent._actor.pins.program("in", digest, "redirect"))
    try:
        return program_info(fd).id
    finally:
        os.close(fd)
