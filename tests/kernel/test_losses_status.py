"""Frames lost for real, and what the agent's report says: whose, how many, why."""

from tests.kernel.lab import Lab
from tests.kernel.switch import CATCH_ALL, Switch, redirect, rule, switch, udp
from xdpredirect.agent.report import Loss

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
