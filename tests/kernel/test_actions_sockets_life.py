"""Sockets outlive programs and agents, and go with their rule."""

import pytest

from tests.kernel.lab import Lab
from tests.kernel.lifecycle import intercept, want
from tests.kernel.rx_queues import N
from tests.kernel.switch import CATCH_ALL, Switch, both_modes, redirect, rule, switch, to_port, udp
from tests.kernel.test_actions_sockets import arrived, bound, granted, slots, sockets
from tests.kernel.test_lifecycle_kill import killed_after
from tests.kernel.xsk import XdpSocket
from xdpredirect.agent.actions import Action, LoadProgram
from xdpredirect.agent.store import Key
from xdpredirect.errors import VerifierError

FRAME = udp(7)
ONE = redirect(rule("r", to_port(7), sockets("0", on_miss="Pass")))
TWO = redirect(
    rule("first", to_port(9), "{type: Drop}"),
    rule("second", to_port(8), sockets("0-3")),
    rule("r", to_port(7), sockets("0-1", on_miss="Pass")),
)
WITHOUT = redirect(rule("first", to_port(9), "{type: Drop}"))


def receives(s: Switch, made: XdpSocket) -> None:
    """Every frame to port 7 still reaches the socket, and only it."""
    s.deliver([FRAME] * N)
    assert arrived(made, N) == [FRAME] * N


def start(s: Switch, made: XdpSocket) -> None:
    """ONE runs with the socket in its slot."""
    (grant,) = granted(s, ONE)
    slots(s).insert(grant, 0, made.fd)
    receives(s, made)


@both_modes
def test_no_frame_is_lost_in_30_swaps_by_agents_that_know_nothing(lab: Lab, mode: str) -> None:
    with switch(lab, mode, ("in",)) as s, bound(s, 0) as made:
        start(s, made)
        for text in (TWO, ONE):  # Nobody reads while something is compiled.
            s.apply(text)
        got: list[bytes] = []
        with s.far["in"].stream(lambda _: FRAME, rate=400) as stream:
            for n in range(30):
                s.agent = s.fresh()
                before = s.interface().program_id
                s.apply((TWO, ONE)[n % 2])
                assert s.interface().program_id != before
                got += made.frames()
        got += arrived(made, stream.sent - len(got))
        assert len(got) == stream.sent > 30
        counted = s.counted("r")
        assert (counted.packets, counted.misses) == (stream.sent + N, 0)


def test_an_agent_killed_after_any_action_leaves_the_socket_in_its_slot(lab: Lab) -> None:
    with switch(lab, "Native", ("in",)) as s, bound(s, 0) as made:
        start(s, made)
        count, cut = 0, True
        while cut:
            want(s, (TWO, ONE)[count % 2])
            cut = killed_after(s, count)
            receives(s, made)
            s.converge()
            receives(s, made)
            count += 1
        assert count > 5


def test_the_map_goes_on_when_the_mode_changes(lab: Lab) -> None:
    with switch(lab, "Native", ("in",)) as s, bound(s, 0) as made:
        start(s, made)
        for mode in ("Generic", "Native"):
            s.mode = mode
            s.apply(ONE)
            receives(s, made)


@pytest.mark.parametrize("how", ["rule", "object", "detached"])
def test_the_map_goes_with_its_rule(lab: Lab, how: str) -> None:
    with switch(lab, "Native", ("in",)) as s, bound(s, 0) as made:
        start(s, made)
        s.converge()
        (grant,) = s.handed.grants
        if how == "object":
            s.agent.store.remove([Key("XdpRedirect", "o")])
            s.converge()
        else:
            s.apply(WITHOUT if how == "rule" else ONE + "\n  state: Detached")
        assert s.handed.grants == ()
        assert not [pin for pin in s.dut.pins() if "sockets" in pin]
        s.deliver([FRAME] * N, stack=N)
        with pytest.raises(FileNotFoundError):
            slots(s).insert(grant, 0, made.fd)
        slots(s).remove(grant, 0)
        # The rule comes back with an empty map.
        s.apply(ONE)
        s.deliver([FRAME] * N, stack=N)
        assert not made.frames()


def test_queues_taken_away_miss_though_the_socket_is_still_there(lab: Lab) -> None:
    with switch(lab, "Native", ("in",)) as s, bound(s, 0) as made:
        start(s, made)
        s.apply(redirect(rule("r", to_port(7), sockets("1-3", on_miss="Pass"))))
        s.deliver([FRAME] * N, stack=N)
        s.apply(ONE)
        receives(s, made)


def test_rules_that_hand_out_one_queue_share_its_socket(lab: Lab) -> None:
    with switch(lab, "Native", ("in",)) as s, bound(s, 0) as made:
        second, third = granted(s, TWO)
        assert (second.rule, third.rule) == ("second", "r")
        slots(s).insert(second, 0, made.fd)
        slots(s).insert(third, 0, made.fd)
        s.deliver([udp(8), udp(7), udp(9)])
        assert arrived(made, 2) == [udp(8), udp(7)]
        slots(s).remove(second, 0)
        s.deliver([udp(8), udp(7)])
        assert arrived(made, 1) == [udp(7)]
        assert s.counted("second").misses == 1


def test_a_program_that_cannot_be_loaded_takes_nothing_away(lab: Lab) -> None:
    def refuse(action: Action) -> bool:
        if isinstance(action, LoadProgram):
            raise VerifierError("redirect", 22, "by this test")
        return False

    with switch(lab, "Native", ("in",)) as s, bound(s, 0) as made:
        start(s, made)
        working, s.agent = s.agent, s.fresh()
        intercept(s.agent, refuse)
        want(s, TWO)
        with s.dut.enter():
            outcome = s.agent.converge()
        assert outcome.failures
        (grant,) = s.handed.grants
        assert grant.rule == "r"
        assert grant.queues == {0, 1}
        receives(s, made)
        s.agent = working
        s.converge()
        assert len(s.handed.grants) == 2
        receives(s, made)


def test_an_unknown_user_is_a_finding_and_no_grant(lab: Lab) -> None:
    text = redirect(rule("r", CATCH_ALL, sockets("0").replace("65534", "no-such-user")))
    with switch(lab, "Native", ("in",)) as s:
        outcome = s.apply(text)
        assert [grant.users for grant in s.handed.grants] == [frozenset()]
        (finding,) = [f for f in outcome.report.objects[0].findings if f.reason == "UserMissing"]
        assert "no-such-user" in finding.message
        (root,) = granted(s, text.replace("no-such-user", "root"))
        assert root.users == {0}
