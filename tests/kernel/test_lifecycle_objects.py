"""States of objects, several objects on one interface, modes and ways to attach."""

import pytest

from tests.kernel.bytecode import XDP_PASS, attached, verdict
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import links, want
from tests.kernel.switch import CATCH_ALL, address_set, redirect, rule, switch, to_port, udp
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.agent.report import Severity
from xdpredirect.agent.store import Key
from xdpredirect.errors import Locked
from xdpredirect.host import XdpMode

FRAME = udp(7)
TO_P1 = rule("r", CATCH_ALL, "{type: Device, device: {name: p1}}")
TO_P2 = rule("r", CATCH_ALL, "{type: Device, device: {name: p2}}")


def test_paused_waits_detached_leaves_active_goes_on(lab: Lab) -> None:
    with switch(lab, "Native") as s:
        s.apply(redirect(TO_P1))
        s.deliver([FRAME] * 2, p1=2)
        s.apply(redirect(TO_P2, state="Paused"))
        s.deliver([FRAME] * 2, p1=2)
        s.apply(redirect(TO_P2, state="Active"))
        s.deliver([FRAME] * 2, p2=2)
        assert s.counted("r").packets == 6
        s.apply(redirect(TO_P2, state="Detached"))
        s.deliver([FRAME] * 2, stack=2)
        assert links(s)["in"].xdp_prog_id == 0
        assert s.dut.pins() == []
        s.apply(redirect(TO_P2))
        s.deliver([FRAME] * 2, p2=2)


def test_several_objects_on_one_interface(lab: Lab) -> None:
    many = [rule(f"r{n}", to_port(n + 1), "{type: Drop}") for n in range(64)]
    with switch(lab, "Native") as s:
        outcome = s.apply(
            redirect(TO_P1, name="first", priority=1),
            redirect(TO_P2, name="second", priority=2),
            redirect(TO_P2, name="third", priority=3, frags="Disabled"),
            redirect(*many, name="fourth", priority=4),
            redirect(*many, name="fifth", priority=5),
        )
        s.deliver([FRAME] * 3, p1=3)
        found = {o.name: {f.reason: f.message for f in o.findings} for o in outcome.report.objects}
        assert "first" in found["second"]["Shadowed"]
        assert found["third"]["Conflicted"].startswith("first has precedence on in")
        assert "TooManyRules" in found["fifth"]
        assert not {"Conflicted", "Shadowed", "TooManyRules"} & found["first"].keys()
        s.agent.store.remove([Key("XdpRedirect", "first")])
        s.converge()
        s.deliver([FRAME] * 3, p2=3)


def test_mode_changes_and_goes_back(lab: Lab) -> None:
    with switch(lab, "Native") as s:
        for mode in ("Native", "Generic") * 5 + ("Native",):
            s.mode = mode
            s.apply(redirect(TO_P1))
            assert links(s)["in"].xdp_mode is XdpMode(mode)
            s.deliver([FRAME] * 2, p1=2)
        assert s.counted("r").packets == 22


def test_auto_takes_generic_where_there_is_no_native_xdp_and_says_so(lab: Lab) -> None:
    """A bridge has no native XDP; beside it, on a veth, Auto is Native."""
    both = redirect(TO_P1, mode="Auto", interfaces="[{names: [br0, p2]}]")
    with switch(lab, "Generic") as s:
        s.dut.ip("link", "add", "br0", "up", "type", "bridge", "mcast_snooping", "0")
        s.dut.ip("link", "set", "br0", "promisc", "on")
        s.dut.ip("link", "set", "in", "master", "br0")
        want(s, both)
        with s.dut.enter():
            outcome = s.agent.converge()
        assert outcome.failures == ()
        modes = {i.name: i.mode for i in outcome.report.interfaces}
        assert modes == {"br0": XdpMode.GENERIC, "p2": XdpMode.NATIVE}
        (finding,) = (
            f for f in outcome.report.objects[0].findings if f.reason == "GenericFallback"
        )
        assert (finding.interface, finding.severity) == ("br0", Severity.DEGRADED)
        # Frames pass the stack's tap on `in` before the bridge takes them.
        s.deliver([FRAME] * 4, p1=4, stack=4)
        assert s.counted("r", "br0").packets == 4


def test_set_that_was_removed_keeps_its_last_content(lab: Lab) -> None:
    match = "{etherTypes: [IPv4], sourceAddressSets: [{name: s}]}"
    wish = redirect(rule("r", match, "{type: Device, device: {name: p1}}"))
    with switch(lab, "Native") as s:
        s.apply(address_set("s", g=["0.0.0.0/1", "128.0.0.0/1"]), wish)
        s.deliver([FRAME] * 2, p1=2)
        s.agent.store.remove([Key("XdpAddressSet", "s")])
        outcome = s.converge()
        assert [str(action) for action in outcome.actions] == []
        (message,) = (
            f.message for f in outcome.report.objects[0].findings if f.reason == "AddressSetMissing"
        )
        assert "last content stays in use" in message
        s.deliver([FRAME] * 2, p1=2)
        # Back with less in it: only what differs is written, and caches do not remember.
        outcome = s.apply(address_set("s", g=["203.0.113.0/24"]))
        assert [str(action) for action in outcome.actions] == [
            "in: write 1 entry of generation",
            "in: write 1 entry of lpm4",
            "in: remove 2 entries of lpm4",
            "in: write 1 entry of generation",
        ]
        s.deliver([FRAME] * 2, stack=2)


@pytest.mark.parametrize("mode", ["Native", "Generic"])
def test_attachment_by_netlink(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.agent._actor.by_link = False
        s.apply(redirect(TO_P1))
        assert not [pin for pin in s.dut.pins() if pin.endswith("/link")]
        s.deliver([FRAME] * 2, p1=2)
        s.apply(redirect(rule("q", to_port(9), "{type: Drop}"), TO_P2))
        s.deliver([FRAME] * 2, p2=2)
        assert s.counted("r").packets == 4
        s.agent.store.remove([Key("XdpRedirect", "o")])
        s.converge()
        assert links(s)["in"].xdp_prog_id == 0
        with attached(s.near["in"], verdict(XDP_PASS), generic=mode == "Generic"):
            foreign = links(s)["in"].xdp_prog_id
            want(s, redirect(TO_P1))
            with s.dut.enter():
                (failure,) = s.agent.converge().failures
            assert f"program {foreign} (" in failure
            assert links(s)["in"].xdp_prog_id == foreign


def test_directory_of_another_namespace_is_refused(lab: Lab) -> None:
    with switch(lab, "Native") as s:
        s.apply(redirect(TO_P1))
        running = links(s)["in"].xdp_prog_id
        with lab.host("far").enter(), pytest.raises(Locked, match="network namespace"):
            MachineAgent(s.agent._settings).converge()
        assert links(s)["in"].xdp_prog_id == running
        s.deliver([FRAME], p1=1)
