"""Settings that lose frames, made for real: frames are lost and a finding says why; after the very
command that the finding names, the frames arrive and the finding is gone.

Not here, because no virtual device of this kernel has them: FewerTxChannelsThanCPUs (i40e, mlx5),
LargeReceive, VLAN devices and bonds. Those are rows of tests/unit/agent/test_findings*.py.
"""

import os
import socket
from pathlib import Path

import pytest

from tests.kernel.bytecode import attached, redirect_to, tag_on_transmit
from tests.kernel.lab import Lab, Port
from tests.kernel.traffic import N, Redirect, addressed, mend, tcp_delivered, udp_delivered
from xdpredirect.agent.findings import Target, Usage, findings
from xdpredirect.agent.report import Severity
from xdpredirect.host import XdpMode
from xdpredirect.kernel.host import observe_host

NATIVE, GENERIC = XdpMode.NATIVE, XdpMode.GENERIC
FOREIGN = bytes.fromhex("020000aabbcc")


@pytest.fixture
def near(lab: Lab) -> Redirect:
    """The sender is in the namespace of the redirect and has every offload."""
    ingress, source = lab.veth(("dut", "p1"), ("dut", "s0"), tuned=False)
    target, sink = lab.veth(("dut", "p2"), ("b", "eth0"))
    return Redirect(source, ingress, target, sink)


@pytest.fixture
def far(lab: Lab) -> Redirect:
    """The same with the sender on a host of its own."""
    ingress, source = lab.veth(("dut", "p1"), ("a", "eth0"), tuned=False)
    target, sink = lab.veth(("dut", "p2"), ("b", "eth0"))
    return Redirect(source, ingress, target, sink)


def test_partial_checksums(near: Redirect) -> None:
    with addressed(near).running():
        assert udp_delivered(near) == 0
        finding = near.findings()["PartialChecksums"]
        assert finding.severity is Severity.STALLED
        mend(near.ingress.host, finding)
        assert udp_delivered(near) == N
        assert "PartialChecksums" not in near.findings()


def test_partial_checksums_are_no_trap_in_generic_mode(near: Redirect) -> None:
    with addressed(near).running(generic=True):
        assert udp_delivered(near) == N
        assert "PartialChecksums" not in near.findings(GENERIC)


def test_partial_checksums_of_a_sender_elsewhere(far: Redirect) -> None:
    with addressed(far).running():
        assert udp_delivered(far) == 0
        finding = far.findings()["PeerUnreadable"]
        assert finding.severity is Severity.INFO
        mend(far.source.host, finding, peer="eth0")
        assert udp_delivered(far) == N


@pytest.mark.parametrize("matches_vlan", [False, True])
def test_vlan_stripping(near: Redirect, matches_vlan: bool) -> None:
    with addressed(near).running():
        near.ingress.host.ethtool("-K", "s0", "tx", "off")
        tag_on_transmit(near.source.host, near.source.name, 5)

        def tagged() -> tuple[int, int]:
            def is_tagged(frame: bytes) -> bool:
                return frame[12:16] == b"\x81\x00\x00\x05"

            with near.sink.counter(is_tagged) as counter:
                udp_delivered(near)
                counter.settled()
            return len(counter.frames), len(counter.others)

        assert tagged() == (0, N)
        finding = near.findings(matches_vlan=matches_vlan)["VlanStripping"]
        assert finding.severity is (Severity.STALLED if matches_vlan else Severity.DEGRADED)
        mend(near.ingress.host, finding)
        assert tagged() == (N, 0)
        assert "VlanStripping" not in near.findings(matches_vlan=matches_vlan)


def test_generic_with_offload(near: Redirect) -> None:
    with addressed(near).running(generic=True):
        back = attached(near.target, redirect_to(near.ingress.ifindex), generic=True)
        with back:
            size = 8 << 20
            assert tcp_delivered(near, size, 1.5) < size // 2
            finding = near.findings(GENERIC)["GenericWithOffload"]
            assert finding.severity is Severity.DEGRADED
            mend(near.ingress.host, finding)
            assert tcp_delivered(near, size, 60.0) == size
            assert "GenericWithOffload" not in near.findings(GENERIC)


def test_not_promiscuous(lab: Lab) -> None:
    """On a bridge, which really withholds what is not for itself."""
    port, source = lab.veth(("dut", "p1"), ("a", "eth0"))
    target, sink = lab.veth(("dut", "p2"), ("b", "eth0"))
    dut = port.host
    dut.ip("link", "add", "br0", "address", "02:00:00:bb:00:00", "type", "bridge")
    dut.ip("link", "set", "br0", "addrgenmode", "none", "up")
    dut.ip("link", "set", "p1", "master", "br0")
    with dut.enter():
        bridge = Port(dut, "br0", socket.if_nametoindex("br0"), b"")
    path = Redirect(source, bridge, target, sink)
    with attached(bridge, redirect_to(target.ifindex), generic=True):
        assert path.delivered(to=FOREIGN) == 0
        mend(dut, path.findings(GENERIC, wire=True)["NotPromiscuous"])
        assert path.delivered(to=FOREIGN) == N
        assert "NotPromiscuous" not in path.findings(GENERIC, wire=True)


def test_a_veth_needs_not_be_promiscuous(near: Redirect) -> None:
    with near.running():
        assert near.delivered(to=FOREIGN) == N
        assert "NotPromiscuous" not in near.findings(wire=True)


def test_attach_flap(near: Redirect) -> None:
    with near.ingress.host.enter():
        before = observe_host().link(near.ingress.ifindex)
    assert before is not None
    with near.running():
        changes = before.carrier_changes
        # A veth does not flap at an attach; a carrier that is lost meanwhile looks the same.
        assert "AttachFlap" not in near.findings(carrier_changes_before=changes)
        near.source.host.ip("link", "set", near.source.name, "down")
        near.source.host.ip("link", "set", near.source.name, "up")
        assert near.findings(carrier_changes_before=changes)["AttachFlap"].severity is Severity.INFO


def test_one_channel_serves_every_cpu_of_a_veth(near: Redirect) -> None:
    with near.running():
        for cpu in sorted(os.sched_getaffinity(0)):
            before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {cpu})
            try:
                assert near.delivered() == N
            finally:
                os.sched_setaffinity(0, before)
        assert "FewerTxChannelsThanCPUs" not in near.findings()


def test_cpu_clash_with_a_container(near: Redirect, tmp_path: Path) -> None:
    state = tmp_path / "cpu_manager_state"
    state.write_text('{"policyName":"static","entries":{"pod":{"c":"0"}},"checksum":1}')
    with near.ingress.host.enter():
        host = observe_host(kubelet_state=state)
    link = host.link(near.ingress.ifindex)
    assert link is not None

    def reasons(cpus: list[int]) -> list[tuple[str, str]]:
        targets = tuple(Target(rule="r", kind="cpu", name=str(n), cpu=n) for n in cpus)
        usage = Usage(object="o", interface=link, mode=NATIVE, targets=targets)
        found = findings([usage], host)
        return [(f.reason, f.message) for f in found if f.reason.startswith("Cpu")]

    others = [cpu.id for cpu in host.cpus if cpu.id != 0]
    ((reason, message),) = reasons([0])
    assert reason == "CpuClash"
    assert f"Use {others[0]}" in message
    assert reasons(others) == []
    beyond = max(cpu.id for cpu in host.cpus) + 1
    assert [reason for reason, _ in reasons([beyond])] == ["CpuOffline"]
