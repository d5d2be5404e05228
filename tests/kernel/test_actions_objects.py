"""Several objects on one interface: who is asked first, what goes on, who is refused."""

from tests.kernel.lab import Lab
from tests.kernel.switch import (
    CATCH_ALL,
    Switch,
    both_modes,
    redirect,
    rule,
    switch,
    to_port,
    udp,
)
from tests.spec.frames import ethernet
from xdpredirect.agent.report import ObjectReport
from xdpredirect.agent.store import Key

N = 10
LLDP = ethernet(bytes(46), 0x88CC, destination="01:80:c2:00:00:0e")


def to(device: str) -> str:
    """The action that sends to a device."""
    return f"{{type: Device, device: {{name: {device}}}}}"


def reported(s: Switch, name: str) -> ObjectReport:
    """What the agent says about an object after a pass."""
    return next(o for o in s.converge().report.objects if o.name == name)


@both_modes
def test_the_lower_priority_number_is_asked_first(lab: Lab, mode: str) -> None:
    first = rule("r", to_port(1), to("p1"))
    last = rule("r", "{protocols: [UDP]}", to("p2"))
    with switch(lab, mode) as s:
        # The names say the opposite, so only the priority can tell.
        s.apply(
            redirect(last, name="aa", priority=200),
            redirect(first, name="zz", priority=100),
        )
        assert s.interface().objects == ("zz", "aa")
        s.deliver([udp(1), udp(2)] * N, p1=N, p2=N)
        s.apply(redirect(first, name="zz", priority=300))
        assert s.interface().objects == ("aa", "zz")
        s.deliver([udp(1), udp(2)] * N, p2=2 * N)


@both_modes
def test_of_equal_priority_the_name_decides(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(
            redirect(rule("r", to_port(1), to("p2")), name="b"),
            redirect(rule("r", to_port(1), to("p1")), name="a"),
        )
        s.deliver([udp(1)] * N, p1=N)


@both_modes
def test_what_nobody_takes_goes_to_the_stack(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(
            redirect(rule("r", to_port(1), to("p1")), name="a"),
            redirect(rule("r", to_port(2), to("p2")), name="b"),
        )
        s.deliver([udp(1), udp(2), udp(3)] * N, p1=N, p2=N, stack=N)
        assert s.interface().unmatched.packets == N


@both_modes
def test_continue_leads_into_the_next_object(lab: Lab, mode: str) -> None:
    miss = "{type: Device, device: {name: gone}, onMiss: Continue}"
    with switch(lab, mode) as s:
        s.apply(
            redirect(rule("missing", CATCH_ALL, miss), name="a"),
            redirect(rule("next", CATCH_ALL, to("p2")), name="b"),
        )
        s.deliver([udp(1)] * N, p2=N)
        assert (s.counted("missing").packets, s.counted("missing").misses) == (N, N)
        assert s.counted("next").packets == N


@both_modes
def test_each_object_protects_from_its_own_rules_only(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(
            redirect(rule("drop", CATCH_ALL, "{type: Drop}"), name="a", protect="Link"),
            redirect(rule("tap", CATCH_ALL, to("p1")), name="b"),
        )
        s.deliver([LLDP, udp(1)] * N, p1=N)
        assert (s.counted("drop").packets, s.counted("tap").packets) == (N, N)


@both_modes
def test_another_mode_is_a_conflict_and_changes_nothing(lab: Lab, mode: str) -> None:
    other = {"Native": "Generic", "Generic": "Native"}[mode]
    with switch(lab, mode) as s:
        s.apply(redirect(rule("r", to_port(1), to("p1")), name="a", priority=100))
        before = s.interface().program_id
        s.apply(redirect(rule("r", to_port(2), to("p2")), name="b", mode=other))
        assert s.interface().program_id == before
        refused = reported(s, "b")
        assert refused.conflicted == ("in",)
        assert [f.reason for f in refused.findings if f.severity == "Stalled"] == ["Conflicted"]
        s.deliver([udp(1), udp(2)] * N, p1=N, stack=N)


@both_modes
def test_behind_a_catch_all_an_object_is_shadowed(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(
            redirect(rule("r", CATCH_ALL, to("p1")), name="a"),
            redirect(rule("r", to_port(2), to("p2")), name="b"),
        )
        assert "Shadowed" in [f.reason for f in reported(s, "b").findings]
        s.deliver([udp(1), udp(2)] * N, p1=2 * N)


@both_modes
def test_objects_leave_one_by_one_and_counters_of_the_other_stay(lab: Lab, mode: str) -> None:
    with switch(lab, mode) as s:
        s.apply(
            redirect(rule("one", to_port(1), to("p1")), name="a"),
            redirect(rule("two", to_port(2), to("p2")), name="b"),
        )
        s.deliver([udp(1), udp(2)] * N, p1=N, p2=N)
        s.agent.store.remove([Key("XdpRedirect", "a")])
        s.converge()
        s.deliver([udp(1), udp(2)] * N, stack=N, p2=N)
        assert s.counted("two").packets == 2 * N
        s.agent.store.remove([Key("XdpRedirect", "b")])
        assert not s.converge().report.interfaces
        assert [pin for pin in s.dut.pins() if "interfaces" in pin] == []
        s.deliver([udp(1), udp(2)] * N, stack=2 * N)
