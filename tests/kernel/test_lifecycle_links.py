"""Links that come, go and are renamed, and hooks that somebody else holds."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.kernel.bytecode import XDP_PASS, attached, verdict
from tests.kernel.lab import Lab, Port, send
from tests.kernel.lifecycle import links, received, until, want
from tests.kernel.switch import CATCH_ALL, Switch, redirect, rule, switch, udp
from xdpredirect.agent.outcome import Outcome
from xdpredirect.kernel.attach import set_xdp
from xdpredirect.kernel.programs import AttachType, load_program

FRAME = udp(7)
WIRE = "link add {} index 900 type veth peer name {}"
TO_GONE = redirect(rule("r", CATCH_ALL, "{type: Device, device: {name: gone}}"))


def one_pass(s: Switch) -> Outcome:
    """A pass that may report failures."""
    with s.dut.enter():
        return s.agent.converge()


@contextmanager
def held(port: Port, by: str, generic: bool) -> Iterator[None]:
    """Somebody else's program on the hook, by bpf_link or the way `ip link` does it."""
    if by == "link":
        with attached(port, verdict(XDP_PASS), generic=generic):
            yield
        return
    program = load_program("foreign", verdict(XDP_PASS), AttachType.XDP, False)
    try:
        with port.host.enter():
            set_xdp(port.ifindex, program, -1, generic)
        yield
        with port.host.enter():
            set_xdp(port.ifindex, -1, program, generic)
    finally:
        os.close(program)


@pytest.mark.parametrize("generic", [False, True], ids=["native", "generic"])
@pytest.mark.parametrize("by", ["link", "netlink"])
def test_foreign_program_is_refused_and_the_others_go_on(lab: Lab, by: str, generic: bool) -> None:
    with switch(lab, "Native") as s:
        to_p2 = rule("r", CATCH_ALL, "{type: Device, device: {name: p2}}")
        with held(s.near["p1"], by, generic):
            link = links(s)["p1"]
            want(s, redirect(to_p2, interfaces="[{names: [in, p1]}]"))
            outcome = one_pass(s)
            assert len(outcome.failures) == 1
            assert outcome.failures[0].startswith("p1: ")
            assert outcome.defects == (), "the agent is not to blame"
            assert f"program {link.xdp_prog_id} (" in outcome.failures[0]
            assert links(s)["p1"].xdp_prog_id == link.xdp_prog_id
            assert not [pin for pin in s.dut.pins() if "interfaces/p1" in pin]
            s.deliver([FRAME] * 5, p2=5)
            with s.near["p1"].counter() as stack:
                s.far["p1"].send([FRAME] * 5)
                stack.exactly(5)
        s.converge()
        with s.far["p2"].counter() as arrived:
            s.far["p1"].send([FRAME] * 5)
            arrived.exactly(5)


def make(s: Switch, name: str, peer: str) -> None:
    """A wire of the host under test, with the ifindex 900 at its first end."""
    s.dut.ip(*WIRE.format(name, peer).split())
    s.dut.ip("link", "set", name, "up")
    s.dut.ip("link", "set", peer, "up")
    s.dut.ethtool("-K", peer, "gro", "on")


def test_target_recreated_100_times_and_its_ifindex_taken(lab: Lab) -> None:
    """A device that gets the number of a target that went away never gets its frames."""
    with switch(lab, "Native", ("in",)) as s:
        s.apply(TO_GONE)
        with s.near["in"].counter() as stack:
            for turn in range(1, 101):
                make(s, "gone", "there")
                one_pass(s)
                s.far["in"].send([FRAME])
                until(lambda: received(s, "there") == 1, "the frame")
                s.dut.ip("link", "del", "gone")
                make(s, "thief", "loot")
                # Before the agent hears of it, and after.
                s.far["in"].send([FRAME])
                one_pass(s)
                s.far["in"].send([FRAME])
                assert len(stack.wait(2 * turn)) == 2 * turn
                assert received(s, "loot") == 0, f"turn {turn}"
                s.dut.ip("link", "del", "thief")
                counted = s.counted("r")
                assert (counted.packets, counted.misses) == (3 * turn, 2 * turn)


def test_ingress_recreated_keeps_counting(lab: Lab) -> None:
    with switch(lab, "Native", ("in", "p1")) as s:
        s.apply(
            redirect(
                rule("r", CATCH_ALL, "{type: Device, device: {name: p1}}"),
                interfaces="[{names: [again]}]",
            )
        )
        for round_ in range(20):
            lab.veth(("dut", "again"), ("far", "again"))
            s.converge()
            with s.far["p1"].counter() as arrived:
                send(lab.host("far"), "again", [FRAME] * 3)
                arrived.exactly(3)
            assert s.counted("r", "again").packets == 3 * round_ + 3
            s.dut.ip("link", "del", "again")
            one_pass(s)


def test_renames_of_ingress_and_target_and_an_exchange(lab: Lab) -> None:
    """Nothing is attached anew: the programs that ran go on under the new names."""
    with switch(lab, "Native") as s:
        to = rule("r", CATCH_ALL, "{type: Device, device: {name: out}}")
        s.dut.ip("link", "property", "add", "dev", "p2", "altname", "out")
        s.apply(redirect(to, interfaces='[{names: ["in", p1, new]}]'))
        s.deliver([FRAME] * 2, p2=2)
        first, second = s.interface("in").program_id, s.interface("p1").program_id
        for old, new in (("in", "tmp"), ("p1", "in"), ("tmp", "p1")):
            s.dut.ip("link", "set", old, "name", new)
        s.converge()
        assert (s.interface("p1").program_id, s.interface("in").program_id) == (first, second)
        assert s.counted("r", "p1").packets == 2
        assert s.counted("r", "in").packets == 0
        s.dut.ip("link", "set", "p1", "name", "new")
        s.dut.ip("link", "set", "p2", "name", "p9")
        s.converge()
        assert s.interface("new").program_id == first
        with s.far["p2"].counter() as arrived:
            s.far["in"].send([FRAME] * 4)
            arrived.exactly(4)
        assert s.counted("r", "new").packets == 6
        names = sorted({pin.split("/")[2] for pin in s.dut.pins() if "interfaces" in pin})
        assert names == ["in", "new"]
