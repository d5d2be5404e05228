"""The network between a control plane, its nodes and the tests; called by `control_plane`.

The control plane lives in a namespace with a bridge. A node is a namespace with a veth to that
bridge. The machine's own namespace is one more port of it: a veth with an address of the range for
benchmarks (RFC 2544), because tests, clients under test and a developer's kubectl open connections
there, and wrapping each of them in nsenter would leave out what runs inside the test process. No
other interface of the machine, no route and no forwarding changes.
"""

import fcntl
import ipaddress
import itertools
import json
from pathlib import Path

from tests.kernel.lab import Host, Lab, LabError, netns

RANGE = ipaddress.ip_network("198.18.0.0/15")
SERVICE_RANGE = ipaddress.ip_network("10.96.0.0/16")
# Of the service `kubernetes`. Only the control plane's own namespace has it.
SERVICE_ADDRESS = SERVICE_RANGE[1]
PREFIX_LENGTH = 20
TURN = Path("/run/xdpredirect-cluster.lock")
BRIDGE = "br0"
MAC = "02:00:00:00:ff:01"
UPLINK = "mgmt0"


class Network:
    """`control` is the control plane's host; `address` where it listens, seen from everywhere."""

    def __init__(self, lab: Lab) -> None:
        self.control = lab.host("control")
        self._root_port = self.control.netns.removesuffix("-control")
        self._numbers = itertools.count(1)
        # Given, because a bridge otherwise takes the lowest of its ports': neighbours would lose it
        # when a node goes.
        self.control.ip("link", "add", BRIDGE, "address", MAC, "type", "bridge")
        self.control.ip("link", "set", BRIDGE, "addrgenmode", "none", "up")
        with TURN.open("w") as turn:
            # Until the address is set another run would take the same subnet.
            fcntl.flock(turn, fcntl.LOCK_EX)
            self._subnet = _free_subnet()
            self._addresses = self._subnet.hosts()
            self.address = str(next(self._addresses))
            self.root_address = str(next(self._addresses))
            self._join_root()
        self.control.address(BRIDGE, self._with_length(self.address), f"{SERVICE_ADDRESS}/32")
        # Between the pods of one node and those of another.
        self.control.sysctl("ipv4/ip_forward", "1")

    def join(self, host: Host, address: str = "") -> str:
        """Gives the host an interface `mgmt0` that reaches the control plane; its address.

        With `address` the host had it before, and is back.
        """
        address, port = address or str(next(self._addresses)), f"port{next(self._numbers)}"
        self._wire([UPLINK, "netns", host.netns], port)
        host.ip("link", "set", UPLINK, "addrgenmode", "none", "up")
        host.address(UPLINK, self._with_length(address))
        return address

    def _join_root(self) -> None:
        name = self._root_port
        self._wire([name], "root")
        netns.command(["ip", "link", "set", name, "addrgenmode", "none", "up"])
        address = self._with_length(self.root_address)
        netns.command(["ip", "address", "add", address, "dev", name])

    def _wire(self, end: list[str], port: str) -> None:
        """A veth from `end`, the words that name it, to a port of the bridge."""
        there = ["type", "veth", "peer", "name", port, "netns", self.control.netns]
        netns.command(["ip", "link", "add", *end, *there])
        self.control.ip("link", "set", port, "master", BRIDGE, "addrgenmode", "none", "up")

    def _with_length(self, address: str) -> str:
        return f"{address}/{self._subnet.prefixlen}"


def _free_subnet() -> ipaddress.IPv4Network:
    """The first that no interface of this machine has an address of."""
    links = json.loads(netns.command(["ip", "-4", "-j", "address", "show"]))
    taken = [
        ipaddress.ip_address(address["local"])
        for link in links
        for address in link.get("addr_info", [])
    ]
    for subnet in RANGE.subnets(new_prefix=PREFIX_LENGTH):
        if isinstance(subnet, ipaddress.IPv4Network) and not any(one in subnet for one in taken):
            return subnet
    raise LabError(f"every subnet of {RANGE} is in use")
