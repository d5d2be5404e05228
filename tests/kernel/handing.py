"""An agent as a process that hands out AF_XDP sockets, and clients of it without privileges.

Used by test_sockets_*.py. Between the object's file and the frame in the client nothing is made up.

    h = Handing(lab, tmp_path / "wanted")
    h.write(sockets("0"))
    with h.agent(), h.receiver("--count", "3") as client:
        h.send(frames)
"""

import json
import os
import shlex
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.kernel.lab import Host, Lab
from tests.kernel.lifecycle import until
from tests.kernel.loaded import CACHE
from tests.kernel.switch import CATCH_ALL, INGRESS, redirect, rule, udp
from tests.kernel.test_actions_sockets import sockets

# The tests are no installed package.
PYTHON_PATH = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
STATUS = [sys.executable, "-m", "xdpredirect", "status"]
AGENT = [sys.executable, "-m", "xdpredirect", "agent", "--resync-seconds", "3600"]


class Handing:
    """Host `dut` with the interface `in`; whatever `far` sends arrives there."""

    def __init__(self, lab: Lab, files: Path, queues: int = 1) -> None:
        self.dut: Host = lab.host("dut")
        self.near, self.far = lab.veth(("dut", INGRESS), ("far", INGRESS), queues=queues)
        self.files = files
        self.socket = self.dut.state_dir / "sockets" / "broker.sock"
        CACHE.mkdir(mode=0o700, exist_ok=True)
        (self.dut.state_dir / "cache").symlink_to(CACHE)
        files.mkdir()

    def want(self, action: str) -> None:
        """One rule for every frame of `in`, with this action."""
        text = redirect(rule("r", CATCH_ALL, action)).replace("MODE", "Native")
        new = self.files / ".o.yaml"
        new.write_text(text)
        new.rename(self.files / "o.yaml")

    def agent(
        self, *before: str, files: Path | None = None
    ) -> AbstractContextManager[subprocess.Popen[str]]:
        """Until the end of the block, run by the command `before`. Resync is out of the way. It
        follows what was wanted here, or the directory `files`.

        What it says goes into a file: a pipe that nobody reads is full after some hundred clients,
        and stops it.
        """
        log = shlex.quote(str(self.dut.state_dir / "agent.log"))
        to_log = ["sh", "-c", f'exec "$@" >>{log} 2>&1', "sh"]
        follows = ["--files", str(files or self.files)]
        return self.dut.running([*to_log, *before, *AGENT, *follows])

    def receiver(self, *words: str) -> AbstractContextManager[subprocess.Popen[str]]:
        """`xdpredirect receive in` as nobody, without capabilities."""
        command = [sys.executable, "-m", "tests.kernel.powerless", "receive", INGRESS, *words]
        return self.dut.running(command, env={"PYTHONPATH": PYTHON_PATH})

    def memory(self) -> list[Any]:
        """What the agent has written down of the sockets that it has handed out."""
        found: list[Any] = json.loads((self.dut.state_dir / "sockets.json").read_text())["sockets"]
        return found

    def serves(self) -> None:
        """Waits until there is a broker."""
        until(self.socket.exists, "a broker")


def frames(count: int) -> list[bytes]:
    """Frames that differ in their number."""
    whole = udp(7)
    return [whole[:-4] + number.to_bytes(4, "big") for number in range(count)]


def taken(client: subprocess.Popen[str]) -> None:
    """Waits for the first line of a receiver: it has its socket."""
    assert client.stdout is not None
    line = client.stdout.readline()
    assert line.startswith("receiving from queue"), line


def report(handing: Handing) -> Any:
    """That of `xdpredirect status`."""
    return json.loads(handing.dut.run([*STATUS, "-o", "json"]).stdout)["report"]


def thing(handing: Handing) -> Any:
    """The object in the report of `xdpredirect status`."""
    (found,) = report(handing)["objects"]
    return found


def held(handing: Handing) -> list[Any]:
    """The sockets that are handed out, as `xdpredirect status` has them."""
    found: list[Any] = thing(handing)["sockets"]
    return found


__all__ = ["STATUS", "Handing", "frames", "held", "report", "sockets", "taken", "thing"]
