"""Targets that cannot take what is sent to them, made real and mended as the finding says."""

import socket

import pytest

from tests.kernel.bytecode import XDP_PASS, XDP_TX, attached, verdict
from tests.kernel.lab import Lab, Port
from tests.kernel.traffic import EXPERIMENT, N, Redirect, mend
from xdpredirect.agent.report import Severity
from xdpredirect.errors import KernelError
from xdpredirect.host import XdpMode
from xdpredirect.kernel.host import observe_host

GENERIC = XdpMode.GENERIC


@pytest.fixture
def near(lab: Lab) -> Redirect:
    ingress, source = lab.veth(("dut", "p1"), ("dut", "s0"))
    target, sink = lab.veth(("dut", "p2"), ("b", "eth0"))
    return Redirect(source, ingress, target, sink)


def test_native_unsupported(lab: Lab) -> None:
    dut = lab.host("dut")
    dut.ip("link", "add", "br0", "type", "bridge")
    with dut.enter():
        bridge = Port(dut, "br0", socket.if_nametoindex("br0"), b"")
    path = Redirect(bridge, bridge, bridge, bridge)
    with pytest.raises(KernelError), attached(bridge, verdict(XDP_TX)):
        pass
    assert path.findings()["NativeUnsupported"].severity is Severity.STALLED
    with attached(bridge, verdict(XDP_TX), generic=True):
        assert "NativeUnsupported" not in path.findings(GENERIC)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_target_cannot_transmit(lab: Lab, elsewhere: bool) -> None:
    ingress, source = lab.veth(("dut", "p1"), ("a", "eth0"))
    peer = ("b", "eth0") if elsewhere else ("dut", "q2")
    target, sink = lab.veth(("dut", "p2"), peer, tuned=False)
    path = Redirect(source, ingress, target, sink)
    with path.running():
        assert path.delivered() == 0
        finding = path.findings()["TargetCannotTransmit"]
        assert (finding.severity, finding.rule) == (Severity.STALLED, "r")
        mend(sink.host, finding, peer="eth0")
        assert path.delivered() == N
        assert "TargetCannotTransmit" not in path.findings()


def test_a_target_without_a_receiver_works_in_generic_mode(lab: Lab) -> None:
    ingress, source = lab.veth(("dut", "p1"), ("a", "eth0"))
    target, sink = lab.veth(("dut", "p2"), ("b", "eth0"), tuned=False)
    path = Redirect(source, ingress, target, sink)
    with path.running(generic=True):
        assert path.delivered() == N
        assert "TargetCannotTransmit" not in path.findings(GENERIC)


def test_tx_on_a_veth_needs_a_program_at_its_peer(lab: Lab) -> None:
    ingress, source = lab.veth(("dut", "p1"), ("dut", "s0"), tuned=False)
    path = Redirect(source, ingress, ingress, source)
    with attached(ingress, verdict(XDP_TX)):
        for gro in ("off", "on"):
            ingress.host.ethtool("-K", "s0", "gro", gro)
            assert path.delivered() == 0
            finding = path.findings(tx=True, redirects=False)["TargetCannotTransmit"]
            assert "peer s0" in finding.message
        with attached(source, verdict(XDP_PASS)):
            # What lay in the ring comes along with the first frame that wakes the peer.
            assert path.delivered() == 2 * N
            assert path.delivered() == N
            assert "TargetCannotTransmit" not in path.findings(tx=True, redirects=False)


def test_target_down(near: Redirect) -> None:
    with near.running():
        near.target.host.ip("link", "set", "p2", "down")
        assert near.delivered() == 0
        mend(near.target.host, near.findings()["TargetDown"])
        assert near.delivered() == N
        assert "TargetDown" not in near.findings()


def test_target_mtu_smaller(lab: Lab) -> None:
    ingress, source = lab.veth(("dut", "p1"), ("a", "eth0"), mtu=3000)
    target, sink = lab.veth(("dut", "p2"), ("b", "eth0"), mtu=3000)
    path = Redirect(source, ingress, target, sink)
    with path.running():
        target.host.ip("link", "set", "p2", "mtu", "1500")
        assert path.delivered(length=2500) == 0
        mend(target.host, path.findings()["TargetMtuSmaller"])
        assert path.delivered(length=2500) == N
        assert "TargetMtuSmaller" not in path.findings()


def test_target_not_scatter_gather(lab: Lab) -> None:
    """A tap has no such transmit; what it got is read from its file descriptor."""
    ingress, source = lab.veth(("dut", "p1"), ("a", "eth0"), mtu=9000)
    tap = lab.tap("dut", "tap0")
    tap.host.ip("link", "set", "tap0", "mtu", "9000")
    with tap.host.enter():
        target = Port(tap.host, "tap0", socket.if_nametoindex("tap0"), b"")
    path = Redirect(source, ingress, target, source)
    with path.running(frags=True):

        def received(mtu: int) -> int:
            source.send([b"\xff" * 6 + source.mac + EXPERIMENT + bytes(mtu)])
            return len(tap.read(timeout=2.0))

        assert received(8000) == 0
        mend(ingress.host, path.findings(frags=True)["TargetNotScatterGather"])
        with ingress.host.enter():
            link = observe_host().link(ingress.ifindex)
        assert link is not None
        assert received(link.mtu) == link.mtu + 14
        assert "TargetNotScatterGather" not in path.findings(frags=True)


def test_a_missing_device(near: Redirect) -> None:
    near.target.host.ip("link", "delete", "p2")
    assert near.findings()["DeviceMissing"].severity is Severity.STALLED


def test_a_well_tuned_path_has_no_finding_but_what_cannot_be_read(lab: Lab) -> None:
    ingress, source = lab.veth(("dut", "p1"), ("dut", "s0"))
    target, sink = lab.veth(("dut", "p2"), ("b", "eth0"))
    path = Redirect(source, ingress, target, sink)
    tidy = ("-K", "s0", "tx-vlan-stag-hw-insert", "off")
    ingress.host.ethtool(*tidy)
    assert path.findings(matches_vlan=True, frags=True, wire=True) == {}
