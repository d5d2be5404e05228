"""A NIC of the host with the agent, moved into a pod's network namespace with our program on it.

Used by test_moved_*.py. The namespace of `pod` is all that makes it one: it has its own device,
which it calls net1, and its processes have CAP_NET_RAW and nothing else.

    m = Moving(lab, tmp_path / "wanted")
    m.want(sockets("0"))
    with m.agent():
        m.serves()
        m.move()
        with m.bringer("--count", "3") as client:
            m.far.send(frames)
"""

import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.kernel.handing import PYTHON_PATH, Handing, report, thing
from tests.kernel.lab import Host, Lab, Port
from tests.kernel.lifecycle import until
from tests.kernel.switch import INGRESS

OWN = "net1"
CHART = ("bpf", "net_admin", "perfmon", "net_raw", "ipc_lock")
"""The capabilities of an agent that hands out sockets in a cluster."""
AS_IN_THE_CHART = (
    "setpriv", f"--bounding-set=-all,{','.join(f'+{name}' for name in CHART)}", "--no-new-privs"
)  # fmt: skip
AWAY = "InterfaceAway"


class Moving(Handing):
    """`near` is called `in` on the host and `net1` in the pod."""

    def __init__(self, lab: Lab, files: Path, queues: int = 1) -> None:
        super().__init__(lab, files, queues)
        self.pod: Host = lab.host("pod")
        self.own: Port = replace(self.near, host=self.pod, name=OWN)

    def move(self) -> None:
        """As a CNI does it, at once."""
        self.dut.ip("link", "set", INGRESS, "netns", self.pod.netns, "name", OWN)
        self.pod.ip("link", "set", OWN, "up")

    def move_back(self) -> None:
        """As a CNI does it, when the pod ends."""
        self.pod.ip("link", "set", OWN, "netns", self.dut.netns, "name", INGRESS)
        self.dut.ip("link", "set", INGRESS, "up")

    def bringer(
        self, *words: str, host: Host | None = None, device: str = OWN
    ) -> AbstractContextManager[subprocess.Popen[str]]:
        """`xdpredirect receive in --own-device net1` in the pod, as nobody with CAP_NET_RAW."""
        powerless = [sys.executable, "-m", "tests.kernel.powerless", "--net-raw"]
        command = [*powerless, "receive", INGRESS, "--own-device", device, *words]
        env = {**self.dut.environment, "PYTHONPATH": PYTHON_PATH}
        return (host or self.pod).running(command, env=env)

    def is_away(self) -> None:
        """Waits until the status says so."""
        until(lambda: AWAY in reasons(self), "the status of a device that is away")


def reasons(handing: Handing) -> set[str]:
    """Of the findings of the object."""
    return {finding["reason"] for finding in thing(handing)["findings"]}


def interface(handing: Handing) -> Any:
    """The one in the report of `xdpredirect status`."""
    (found,) = report(handing)["interfaces"]
    return found
