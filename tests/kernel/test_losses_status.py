"""Frames lost for real, and what the agent's report says: whose, how many, why."""

import time

from tests.kernel.lab import Lab
from tests.kernel.switch import CATCH_ALL, Switch, redirect, rule, switch, to_port, udp
from xdpredirect.agent.report import Loss
from xdpredirect.agent.store import Key

N = 1000
FRAMES = [udp(53)] * N
TO_P1 = redirect(rule("r", CATCH_ALL, "{type: Device, device: {name: p1}}"))


def losses(s: Switch) -> list[Loss]:
    """Those of object `o`, as a fresh process sees them."""
    with s.dut.enter():
        report = s.fresh().observe_report()
    return list(next(o for o in report.objects if o.name == "o").losses)


def test_target_down_in_native_mode(lab: Lab) -> None:
    with switch(lab, "Native") as s:
        s.apply(TO_P1)
        assert losses(s) == []
        s.dut.ip("link", "set", "p1", "down")
        s.far["in"].send(FRAMES)
        s.deliver([udp(53)])
        (loss,) = losses(s)
        assert (loss.reason, loss.errno, loss.packets) == ("TargetDown", "ENETDOWN", N + 1)
        assert (loss.rule, loss.interface, loss.target) == ("r", "in", "p1")
        assert "`ip link set p1 up`" in loss.hint


def test_swaps_and_processes_that_come_and_go_lose_no_count(lab: Lab) -> None:
    """Frames are lost all the time: between processes that know nothing of each other but what is
    stored, and through swaps. test_losses_restart.py kills one."""
    with switch(lab, "Native") as s:
        s.apply(TO_P1)
        s.dut.ip("link", "set", "p1", "down")
        s.far["in"].send(FRAMES)
        s.converge()
        s.far["in"].send(FRAMES)
        s.agent = s.fresh()
        sent = 2 * N
        with s.far["in"].stream(lambda _: udp(53), rate=2000) as stream:
            for port in (1, 2, 3):
                extra = rule(f"x{port}", to_port(port), "{type: Drop}")
                s.apply(redirect(extra, rule("r", CATCH_ALL, "{type: Device, device: {name: p1}}")))
                s.agent = s.fresh()
        sent += stream.sent
        s.deliver([udp(53)])
        (loss,) = losses(s)
        assert (loss.reason, loss.rule, loss.packets) == ("TargetDown", "r", sent + 1)


def test_misses_that_are_dropped_are_losses(lab: Lab) -> None:
    with switch(lab, "Native") as s:
        entry = "{key: '5', device: {name: p1}}"
        table = f"deviceTable: {{keyBy: DSCP, entries: [{entry}]}}"
        s.apply(redirect(rule("r", CATCH_ALL, f"{{type: DeviceTable, {table}, onMiss: Drop}}")))
        s.deliver(FRAMES)
        (loss,) = losses(s)
        assert (loss.reason, loss.packets, loss.rate > 0) == ("NoEntry", N, True)
        s.agent = s.fresh()
        s.converge()
        assert [found.packets for found in losses(s)] == [N]


def test_a_broadcast_without_a_member_is_a_loss(lab: Lab) -> None:
    """No event shows it: the kernel says that the frame was redirected."""
    with switch(lab, "Native") as s:
        members = "broadcast: {devices: [{name: p1}, {name: p2}]}, onMiss: Drop"
        s.apply(redirect(rule("r", CATCH_ALL, f"{{type: Broadcast, {members}}}")))
        s.deliver(FRAMES, p1=N, p2=N)
        assert losses(s) == []
        for name in ("p1", "p2"):
            s.dut.ip("link", "set", name, "down")
        s.converge()
        s.deliver(FRAMES)
        (loss,) = losses(s)
        assert (loss.reason, loss.rule, loss.packets) == ("BroadcastWithoutMember", "r", N)
        assert " in" in loss.hint
        assert "`xdpredirect status`" in loss.hint


def test_peer_down_is_told_from_the_interface_pair(lab: Lab) -> None:
    with switch(lab, "Native") as s:
        s.apply(TO_P1)
        s.far["p1"].host.ip("link", "set", "p1", "down")
        s.far["in"].send(FRAMES)
        deadline = time.monotonic() + 60
        while sum(found.packets for found in losses(s)) < N and time.monotonic() < deadline:
            time.sleep(0.05)
        (loss,) = losses(s)
        assert (loss.reason, loss.errno, loss.packets) == ("PeerDown", "ENXIO", N)
        assert (loss.rule, loss.interface, loss.target) == ("r", "in", "p1")


def test_the_monitor_goes_with_the_last_object(lab: Lab) -> None:
    with switch(lab, "Generic") as s:
        s.apply(TO_P1)
        assert list((s.settings.bpffs / "monitor").glob("*/losses"))
        s.agent.store.remove([Key("XdpRedirect", "o")])
        with s.dut.enter():
            s.agent.converge()
        assert not (s.settings.bpffs / "monitor").exists()
