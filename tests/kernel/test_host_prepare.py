"""`prepare: Apply` on real links: the traps go away, a crash at any point is undone, and what was
there before comes back."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kernel.bytecode import XDP_PASS, attached, verdict
from tests.kernel.lab import Lab, Port
from xdpredirect.agent.findings import Target, Usage, findings
from xdpredirect.agent.prepare import (
    PASS_PROGRAM,
    AttachPass,
    DetachPass,
    PrepareAction,
    Record,
    Recorded,
    SetOffload,
    SetPromiscuous,
    plan_prepare,
    wanted_settings,
)
from xdpredirect.errors import KernelError
from xdpredirect.host import Host, XdpMode
from xdpredirect.kernel.host import observe_host
from xdpredirect.kernel.prepare import perform, read_recorded


@dataclass
class Agent:
    """As much of an agent as preparing needs. A new one knows only what is on disk."""

    ingress: Port
    target: Port
    state_dir: Path
    wire: bool = False
    redirecting: bool = True

    def observe(self) -> Host:
        with self.ingress.host.enter():
            return observe_host()

    def usages(self, host: Host) -> list[Usage]:
        link, target = host.link(self.ingress.ifindex), host.link(self.target.ifindex)
        assert link is not None
        usage = Usage(
            object="o",
            interface=link,
            mode=XdpMode.NATIVE,
            redirects=True,
            matches_vlan=True,
            wire=self.wire,
            prepare=True,
            targets=(Target(rule="r", kind="device", name="t", link=target),),
        )
        return [usage] if self.redirecting else []

    def plan(self) -> tuple[PrepareAction, ...]:
        host, recorded = self.observe(), read_recorded(self.state_dir)
        return plan_prepare(wanted_settings(self.usages(host), recorded, host), recorded, host)

    def run(self, actions: tuple[PrepareAction, ...]) -> None:
        with self.ingress.host.enter():
            for action in actions:
                assert not isinstance(action, AttachPass | DetachPass)
                perform(action, self.state_dir)

    def settings(self) -> dict[str, tuple[dict[str, bool], bool]]:
        return {i.name: (i.offloads, i.promiscuity > 0) for i in self.observe().links}

    def reasons(self) -> set[str]:
        host = self.observe()
        return {finding.reason for finding in findings(self.usages(host), host)}


@pytest.fixture
def agent(lab: Lab, state_dir: Path) -> Agent:
    """Ingress and target with their peers beside them, as the kernel makes them."""
    ingress, _ = lab.veth(("dut", "p1"), ("dut", "s1"), tuned=False)
    target, _ = lab.veth(("dut", "p2"), ("dut", "s2"), tuned=False)
    return Agent(ingress, target, state_dir)


def test_the_traps_go_and_the_settings_come_back(agent: Agent) -> None:
    before = agent.settings()
    assert agent.reasons() == {"PartialChecksums", "TargetCannotTransmit", "VlanStripping"}
    agent.run(agent.plan())
    assert agent.reasons() == set()
    assert agent.plan() == ()
    assert agent.settings() != before
    agent.redirecting = False
    agent.run(agent.plan())
    assert agent.settings() == before
    assert read_recorded(agent.state_dir) == ()
    assert agent.plan() == ()


def test_a_crash_after_every_action(agent: Agent) -> None:
    before = agent.settings()
    steps = len(agent.plan())
    assert steps >= 8
    for prefix in range(steps + 1):
        agent.redirecting = True
        agent.run(agent.plan()[:prefix])
        agent.redirecting = False
        undo = agent.plan()
        # The second crash, on the way back.
        agent.run(undo[: prefix // 2])
        agent.run(agent.plan())
        assert agent.settings() == before
        assert read_recorded(agent.state_dir) == ()


def test_a_bridge_becomes_promiscuous_for_a_wire(agent: Agent) -> None:
    dut = agent.ingress.host
    dut.ip("link", "add", "br0", "type", "bridge")
    bridge = next(link for link in agent.observe().links if link.name == "br0")
    agent.ingress = Port(dut, "br0", bridge.ifindex, b"")
    agent.wire = True
    assert "NotPromiscuous" in agent.reasons()
    plan = agent.plan()
    assert SetPromiscuous(ifindex=bridge.ifindex, name="br0", on=True) in plan
    agent.run(plan)
    assert "NotPromiscuous" not in agent.reasons()
    agent.redirecting = False
    agent.run(agent.plan())
    assert not agent.settings()["br0"][1]


def test_a_peer_with_a_program_needs_no_gro(agent: Agent) -> None:
    peer = next(link for link in agent.observe().links if link.name == "s2")
    port = Port(agent.target.host, "s2", peer.ifindex, peer.mac)
    with attached(port, verdict(XDP_PASS)):
        assert not [a for a in agent.plan() if isinstance(a, SetOffload) and a.name == "s2"]
    assert [a for a in agent.plan() if isinstance(a, SetOffload) and a.name == "s2"]


def test_a_setting_made_by_the_user_stays(agent: Agent) -> None:
    agent.ingress.host.ethtool("-K", "s1", "tx", "off")
    agent.run(agent.plan())
    agent.redirecting = False
    agent.run(agent.plan())
    assert not agent.settings()["s1"][0]["tx-checksum-ip-generic"]


def test_a_link_that_was_made_anew_is_left_alone(agent: Agent) -> None:
    agent.run(agent.plan())
    dut = agent.ingress.host
    dut.ip("link", "delete", "p2")
    words = ["name", "s2", "index", str(agent.target.ifindex), "type", "veth", "peer", "p2"]
    dut.ip("link", "add", *words)
    fresh = agent.settings()["s2"]
    agent.redirecting = False
    agent.run(agent.plan())
    assert agent.settings()["s2"] == fresh
    assert read_recorded(agent.state_dir) == ()


def test_a_renamed_link_is_still_found(agent: Agent) -> None:
    before = agent.settings()["s1"]
    plan = agent.plan()
    agent.ingress.host.ip("link", "set", "s1", "name", "renamed")
    agent.run(plan)
    assert agent.settings()["renamed"] != before
    agent.redirecting = False
    agent.run(agent.plan())
    assert agent.settings()["renamed"] == before


def test_what_cannot_be_set_is_an_error(agent: Agent) -> None:
    fixed = SetOffload(ifindex=agent.ingress.ifindex, name="p1", offload="rx-lro", on=True)
    with pytest.raises(KernelError, match=r"set rx-lro of p1: (EOPNOTSUPP|ENOTSUP) .*keeps it"):
        agent.run((fixed,))
    gone = SetOffload(ifindex=9999, name="p9", offload="rx-gro", on=True)
    with pytest.raises(KernelError, match=r"set rx-gro of p9: (ENODEV|ENXIO)"):
        agent.run((gone,))
    with pytest.raises(KernelError, match="set promisc of p9: ENODEV"):
        agent.run((SetPromiscuous(ifindex=9999, name="p9", on=True),))


ENTRY = Recorded(ifindex=7, mac=b"\2\0\0\0\0\7", knob=PASS_PROGRAM, original=False)


def test_records_survive_and_end_with_the_boot(state_dir: Path) -> None:
    perform(Record(ENTRY), state_dir)
    perform(Record(ENTRY), state_dir)
    assert read_recorded(state_dir) == (ENTRY,)
    path = state_dir / "prepared.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "boot": "another"}))
    assert read_recorded(state_dir) == ()


def test_a_damaged_file_is_an_error_that_says_what_to_do(state_dir: Path) -> None:
    (state_dir / "prepared.json").write_text('{"boot": ')
    with pytest.raises(KernelError, match="remove it"):
        read_recorded(state_dir)


def test_an_agent_that_cannot_write_changes_nothing(agent: Agent) -> None:
    before = agent.settings()
    plan = agent.plan()
    agent.state_dir.rmdir()
    with pytest.raises(KernelError, match="ENOENT"):
        agent.run(plan)
    assert agent.settings() == before
    assert list(agent.state_dir.parent.iterdir()) == []
