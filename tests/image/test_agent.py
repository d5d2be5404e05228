"""The agent's image as a pod runs it: three capabilities, a root that is read-only, containerd's
seccomp profile. Real frames; signals to process 1."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.waiting import until
from tests.image.container import Container, Mount
from tests.kernel.lab import Host, Lab, Port
from tests.kernel.switch import CATCH_ALL, redirect, rule, udp

FRAME = udp(7)
TO_P1 = redirect(rule("r", CATCH_ALL, "{type: Device, device: {name: p1}}")).replace(
    "MODE", "Native"
)
TO_P2 = TO_P1.replace("name: p1", "name: p2")
OBJECTS = "/etc/xdpredirect"


class Node:
    """A host with the ports in, p1 and p2, a directory of objects and an agent that follows it."""

    def __init__(self, lab: Lab, files: Path, run: Callable[..., Container]) -> None:
        self.host: Host = lab.host("node")
        self.far: dict[str, Port] = {
            name: lab.veth(("node", name), ("far", name))[1] for name in ("in", "p1", "p2")
        }
        self.files, self._run = files, run
        files.mkdir()

    def write(self, text: str) -> None:
        (self.files / "o.yaml").write_text(text)

    def agent(self) -> Container:
        """One more container; the one before it must have ended."""
        mount = Mount(target=OBJECTS, source=str(self.files), read_only=True)
        return self._run("agent", self.host, "agent", "--files", OBJECTS, mounts=(mount,))

    def leads_to(self, name: str) -> bool:
        with self.far[name].counter() as arrived:
            self.far["in"].send([FRAME])
            return bool(arrived.wait(1, timeout=0.2))

    def redirects(self, name: str, container: Container) -> None:
        """Waits for it, then counts: every frame, and none twice."""
        until(lambda: self.leads_to(name), f"frames come out of {name}", evidence=container.said)
        with self.far[name].counter() as arrived:
            self.far["in"].send([FRAME] * 500)
            arrived.exactly(500)


@pytest.fixture
def node(lab: Lab, tmp_path: Path, run: Callable[..., Container]) -> Node:
    return Node(lab, tmp_path / "wanted", run)


def test_frames_are_redirected_with_three_capabilities(node: Node) -> None:
    node.write(TO_P1)
    agent = node.agent()
    node.redirects("p1", agent)
    status = dict(
        line.split(":\t", 1)
        for line in agent.execute("cat", "/proc/1/status").splitlines()
        if ":\t" in line
    )
    assert {status[f"Cap{kind}"] for kind in ("Eff", "Prm", "Bnd")} == {"000000c000001000"}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    with pytest.raises(AssertionError, match="Read-only file system"):
        agent.execute("touch", "/opt/xdpredirect/x")
    # Another compilation: the first one must not have been luck of a cache.
    node.write(TO_P1.replace(CATCH_ALL, "{protocols: [UDP]}"))
    until(
        lambda: agent.said().count("Swap") or agent.said().count("swap"),
        "the swap",
        evidence=agent.said,
    )
    node.redirects("p1", agent)
    assert "Redirecting" in agent.execute("xdpredirect", "status")


def test_sigterm_ends_it_in_order_and_the_datapath_stays(node: Node) -> None:
    node.write(TO_P1)
    agent = node.agent()
    node.redirects("p1", agent)
    pins = node.host.pins()
    agent.signal(signal.SIGTERM)
    assert agent.wait() == 0, agent.said()
    assert node.host.pins() == pins
    node.redirects("p1", agent)
    node.write(TO_P2)
    again = node.agent()
    node.redirects("p2", again)


def test_sigkill_costs_no_frame_and_the_next_agent_goes_on(node: Node) -> None:
    node.write(TO_P1)
    agent = node.agent()
    node.redirects("p1", agent)
    agent.signal(signal.SIGKILL)
    assert agent.wait() == 128 + signal.SIGKILL
    node.redirects("p1", agent)
    again = node.agent()
    node.write(TO_P2)
    node.redirects("p2", again)


def test_orphans_of_a_shell_are_reaped(node: Node) -> None:
    node.write(TO_P1)
    agent = node.agent()
    node.redirects("p1", agent)
    agent.execute("sh", "-c", "sleep 0.1 & exec true")
    until(
        lambda: len(agent.processes()) == 2,
        "only init and agent",
        evidence=lambda: str(agent.processes()),
    )
    assert agent.processes() == ["tini", "xdpredirect"]
