"""The hosts of the demonstration, and `xdpredirect` as it is called on the router.

Called by the scenes. Everything is in namespaces of its own and goes with `close`.
"""

import json
import sys
import time
from pathlib import Path

from tests.demo.stage import Stage
from tests.kernel.lab import Host, Lab, Port, bpf_ids
from tests.kernel.lab.netns import NETNS_DIR

ROOT = Path(__file__).parents[2]
OBJECTS = Path("examples/demo")
CLIENT, SERVICE, MONITOR, ROUTER = "192.0.2.1", "192.0.2.10", "198.51.100.2", "198.51.100.1"
# Server and backup answer for the same address, as two machines behind a virtual one do.
SERVICE_MAC = "02:00:00:00:00:64"
MODULE = (sys.executable, "-m", "xdpredirect")
GRACE_SECONDS = 30.0


class Network:
    """client, server, backup and monitor; each joined to the router's interface of its name."""

    PICTURE = f"""\
client   {CLIENT:<13} ──┐            ┌── server  {SERVICE}
                         ├── router ──┤
monitor  {MONITOR:<13} ──┘            └── backup  {SERVICE}"""

    def __init__(self) -> None:
        self._lab = Lab()
        self.hosts: dict[str, Host] = {}
        self.ports: dict[str, tuple[Port, Port]] = {}
        self.programs: set[int] = set()

    def build(self) -> None:
        """Makes hosts, wires and addresses."""
        self.hosts["router"] = self._lab.host("router")
        for name in ("client", "server", "backup", "monitor"):
            self.hosts[name] = self._lab.host(name)
            self.ports[name] = self._lab.veth(("router", name), (name, "eth0"))
        for name in ("server", "backup"):
            self.hosts[name].ip("link", "set", "eth0", "address", SERVICE_MAC)
            self.hosts[name].address("eth0", f"{SERVICE}/24")
        self.hosts["client"].address("eth0", f"{CLIENT}/24")
        self.hosts["monitor"].address("eth0", f"{MONITOR}/24")
        self.hosts["router"].address("monitor", f"{ROUTER}/24")

    @property
    def router(self) -> Host:
        """Where xdpredirect runs."""
        return self.hosts["router"]

    def show(self, stage: Stage, *words: str) -> str:
        """Runs the command on the router; returns what it printed, with colours where they can be
        seen. LabError when it fails."""
        env = {"COLUMNS": str(stage.width)}
        env |= {"FORCE_COLOR": "1"} if stage.colours else {"NO_COLOR": "1"}
        stage.command("xdpredirect", *words)
        return self.router.run([*MODULE, *words], env=env).stdout

    def apply(self, stage: Stage, name: str) -> dict[str, int]:
        """Applies a file of examples/demo; returns the programs then. LabError when it fails."""
        path = OBJECTS / name
        stage.command("xdpredirect", "apply", "-f", str(path))
        self.router.run([*MODULE, "apply", "-f", str(ROOT / path)])
        return self.note_programs()

    def note_programs(self) -> dict[str, int]:
        """XDP programs on the router's interfaces: ids by interface; remembered for the end."""
        links = json.loads(self.router.ip("-j", "-d", "link", "show"))
        found = {
            link["ifname"]: int(link["xdp"]["prog"]["id"])
            for link in links
            if "prog" in link.get("xdp", {})
        }
        self.programs |= set(found.values())
        return found

    def close(self) -> None:
        """Takes everything down."""
        self._lab.close()


def still_there(network: Network, programs: set[int]) -> list[str]:
    """What outlived `close`, after waiting for the kernel's own clean-up."""
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        left = [str(o) for o in bpf_ids.objects() if o.kind == "program" and o.id in programs]
        left += [h.netns for h in network.hosts.values() if (NETNS_DIR / h.netns).exists()]
        left += [str(h.state_dir) for h in network.hosts.values() if h.state_dir.exists()]
        if not left or time.monotonic() > deadline:
            return sorted(left)
        time.sleep(0.05)
