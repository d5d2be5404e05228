"""`prepare: Apply` through the whole agent: a target that takes no frames is made to, and what was
changed is put back when the object goes.
"""

import pytest

from tests.kernel.lab import Counter, Host, Lab, send
from xdpredirect.agent.machine import MachineAgent
from xdpredirect.agent.store import Store, key_of
from xdpredirect.api.load import load_text
from xdpredirect.settings import Settings

DOCUMENT = """
apiVersion: xdpredirect.io/v1alpha1
kind: XdpRedirect
metadata: {name: wire}
spec:
  nodeSelector: {}
  prepare: PREPARE
  interfaces: [{names: [p1]}]
  protect: None
  rules:
    - {name: all, match: {all: true}, action: ACTION}
"""
TO_T0 = "{type: Device, device: {name: t0}}"


@pytest.fixture
def dut(lab: Lab) -> Host:
    """p1 to a sender; t0 and t1 are both ends of one untuned veth in the same namespace."""
    host = lab.host("dut")
    lab.veth(("dut", "p1"), ("sender", "e0"))
    lab.veth(("dut", "t0"), ("dut", "t1"), tuned=False)
    host.ethtool("-K", "t1", "gro", "off")
    return host


def _apply(dut: Host, prepare: str, action: str = TO_T0) -> tuple[MachineAgent, set[str]]:
    settings = Settings(
        bpffs=dut.bpffs / "xr", state_dir=dut.state_dir, files=dut.state_dir / "objects"
    )
    settings.bpffs.mkdir(exist_ok=True)
    text = DOCUMENT.replace("PREPARE", prepare).replace("ACTION", action)
    Store(settings.state_dir).put(load_text(text, "test").documents)
    agent = MachineAgent(settings)
    report = agent.converge().report
    return agent, {finding.reason for finding in report.objects[0].findings}


def _remove(agent: MachineAgent) -> None:
    agent.store.remove([key_of(d) for d in agent.store.read_all().objects.documents])
    agent.converge()


def _gro(dut: Host) -> bool:
    return "generic-receive-offload: on" in dut.ethtool("-k", "t1")


def test_report_changes_nothing_and_says_what_is_wrong(dut: Host) -> None:
    with dut.enter():
        agent, reasons = _apply(dut, "Report")
        assert "TargetCannotTransmit" in reasons
        assert not _gro(dut)
        _remove(agent)


def test_apply_makes_the_target_take_frames_and_puts_it_back(dut: Host, lab: Lab) -> None:
    sender = lab.host("sender")
    with dut.enter():
        agent, _ = _apply(dut, "Apply")
        assert _gro(dut)
        agent.converge()
        found = {f.reason for f in agent.observe_report().objects[0].findings}
        assert "TargetCannotTransmit" not in found
        frame = bytes.fromhex("02ffffffffff02000000009988b5") + bytes(50)
        with Counter(dut, "t1", lambda data: data == frame) as arrived:
            send(sender, "e0", [frame] * 1000)
            arrived.exactly(1000)
        _remove(agent)
        assert not _gro(dut)
        assert dut.pins() == []


def test_a_device_that_becomes_an_ingress_loses_its_pass_program(dut: Host) -> None:
    """TX out of t0 needs a program at t1; when t1 is selected itself, ours replaces it."""
    with dut.enter():
        text = DOCUMENT.replace("names: [p1]", "names: [t0]").replace("PREPARE", "Apply")
        settings = Settings(
            bpffs=dut.bpffs / "xr", state_dir=dut.state_dir, files=dut.state_dir / "objects"
        )
        settings.bpffs.mkdir(exist_ok=True)
        store = Store(settings.state_dir)
        store.put(load_text(text.replace("ACTION", "{type: TX, tx: {}}"), "test").documents)
        agent = MachineAgent(settings)
        assert not agent.converge().failures
        assert any("pass" in pin for pin in dut.pins())
        both = text.replace("ACTION", "{type: TX, tx: {}}").replace("[t0]", "[t0, t1]")
        store.put(load_text(both, "test").documents)
        assert not agent.converge().failures
        assert not any("pass/" in pin for pin in dut.pins())
        _remove(agent)
        assert dut.pins() == []
