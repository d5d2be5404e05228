"""Without a drop monitor, what sockets have lost is known from their statistics: in the object's
losses, by cause, and never less when a socket is closed."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernel.handing import sockets
from tests.kernel.lab import Lab
from tests.kernel.lifecycle import until
from tests.kernel.switch import CATCH_ALL, INGRESS, Switch, redirect, rule, switch, udp
from xdpredirect.agent import monitor
from xdpredirect.agent.broker import Broker
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.agent.report import ObjectReport
from xdpredirect.errors import KernelError
from xdpredirect.xsk.client import XskSocket, take
from xdpredirect.xsk.messages import Take

FRAMES, TOO_LONG = 64, 2000
"""Of a socket; and octets of a frame that does not fit into one of 2048 with its headroom."""
RULE = redirect(rule("r", CATCH_ALL, sockets("0").replace("65534", "0")))


def no_btf(*_: object) -> None:
    raise KernelError("open /sys/kernel/btf/vmlinux", 2)


def thing(s: Switch) -> ObjectReport:
    """After a pass."""
    (found,) = s.converge().report.objects
    return found


def lost(s: Switch) -> dict[str, int]:
    return {loss.reason: loss.packets for loss in thing(s).losses}


def test_totals_by_cause_outlive_socket_and_agent(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "install", no_btf)
    with switch(lab, "Native", (INGRESS,), mtu=3000) as s:
        directory = s.dut.state_dir / "sockets"
        s.settings = replace(s.settings, sockets_dir=directory)
        for before in (0, 1):
            with Broker(s.settings) as broker:
                s.agent = MachineAgent(s.settings, broker)
                s.apply(RULE)
                with closing(taken(directory)) as xsk:
                    assert {f.reason for f in thing(s).findings} >= {"LossesUnknown"}
                    s.far[INGRESS].send([udp(7)] * (FRAMES + 5))
                    s.far[INGRESS].send([udp(7) + bytes(TOO_LONG)] * 3)
                    expected = {"SocketFillRingEmpty": 5, "FrameTooBigForSocket": 3}
                    assert lost(s) == {k: n * (before + 1) for k, n in expected.items()}
                    assert len(xsk.receive(FRAMES)) == FRAMES
                until(lambda: not thing(s).sockets, "the end of the socket")
                assert lost(s) == {k: n * (before + 1) for k, n in expected.items()}


def taken(directory: Path) -> XskSocket:
    return take(directory, Take(INGRESS, 0, FRAMES))
