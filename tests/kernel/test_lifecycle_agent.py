"""`xdpredirect agent --files DIR` as a process: follows files and links, keeps the datapath when a
file breaks and when it ends, and is alone on its directories."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.lab import Host, Lab, Port
from tests.kernel.lifecycle import until
from tests.kernel.loaded import CACHE
from tests.kernel.switch import CATCH_ALL, redirect, rule, udp
from xdpredirect.host import Link
from xdpredirect.kernel.host import observe_host

COMMAND = [sys.executable, "-m", "xdpredirect", "agent"]
FRAME = udp(7)
TO_P1 = redirect(rule("r", CATCH_ALL, "{type: Device, device: {name: p1}}"))
TO_P2 = TO_P1.replace("name: p1", "name: p2")


class Following:
    """A host `dut` with the ports in, p1 and p2, and a directory for an agent to follow."""

    def __init__(self, lab: Lab, files: Path) -> None:
        self.dut: Host = lab.host("dut")
        self.far: dict[str, Port] = {
            name: lab.veth(("dut", name), ("far", name))[1] for name in ("in", "p1", "p2")
        }
        self.files = files
        CACHE.mkdir(mode=0o700, exist_ok=True)
        (self.dut.state_dir / "cache").symlink_to(CACHE)
        files.mkdir()

    @contextlib.contextmanager
    def agent(self) -> Iterator[subprocess.Popen[str]]:
        # Resync is out of the way: what happens, happens because something was announced.
        with self.dut.running([*self.command, "--resync-seconds", "3600"]) as process:
            yield process

    @property
    def command(self) -> list[str]:
        return [*COMMAND, "--files", str(self.files)]

    def write(self, text: str) -> None:
        (self.files / "o.yaml").write_text(text.replace("MODE", "Native"))

    def link(self, name: str = "in") -> Link | None:
        with self.dut.enter():
            return next((link for link in observe_host().links if link.name == name), None)

    def program(self, name: str = "in") -> int:
        found = self.link(name)
        return found.xdp_prog_id if found else 0

    def leads_to(self, name: str, seconds: float = 0.2) -> bool:
        """Whether a frame sent into `in` comes out of `name` within that time."""
        with self.far[name].counter() as arrived:
            self.far["in"].send([FRAME])
            return bool(arrived.wait(1, timeout=seconds))


@pytest.fixture
def following(lab: Lab, tmp_path: Path) -> Following:
    return Following(lab, tmp_path / "wanted")


def test_files_come_change_break_and_go(following: Following) -> None:
    with following.agent() as process:
        following.write(TO_P1)
        until(lambda: following.leads_to("p1"), "the first object")
        following.write(TO_P2)
        until(lambda: following.leads_to("p2"), "the change")
        running = following.program()
        status = following.dut.state_dir / "status.json"
        before = status.stat().st_mtime_ns
        following.write("spec: [broken")
        until(lambda: status.stat().st_mtime_ns != before, "a pass over the broken file")
        assert following.program() == running
        assert following.leads_to("p2", 10)
        following.write(TO_P1)
        until(lambda: following.leads_to("p1"), "the mended file")
        (following.files / "o.yaml").unlink()
        until(lambda: following.program() == 0, "the removal")
        assert process.poll() is None
    assert following.dut.pins() == []


def test_links_that_come_back_are_served_again(following: Following) -> None:
    following.write(TO_P1)
    with following.agent():
        until(lambda: following.leads_to("p1"))
        following.dut.ip("link", "set", "in", "down")
        following.dut.ip("link", "set", "in", "name", "aside")
        until(lambda: following.program("aside") == 0, "leaving a link that is meant no more")
        following.dut.ip("link", "set", "aside", "name", "in", "up")
        until(lambda: following.program() != 0, "the return of the name")
        until(lambda: following.leads_to("p1"))


def test_sigterm_leaves_the_datapath_and_a_second_agent_is_refused(following: Following) -> None:
    following.write(TO_P1)
    with following.agent() as process:
        until(lambda: following.leads_to("p1"))
        second = following.dut.run(following.command, check=False)
        assert second.returncode == 4
        assert str(process.pid) in second.stderr
        running = following.program()
        process.terminate()
        assert process.wait(60) == 0
    assert following.program() == running
    assert following.leads_to("p1", 10)
    with following.agent():
        # The next one takes over without a change.
        following.write(TO_P2)
        until(lambda: following.leads_to("p2"))
