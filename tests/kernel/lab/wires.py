"""The NICs of a node and what is at their other ends: a host that sends and counts frames.

Made for the nodes of tests/cluster, and at every boot for those of tests/node.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.kernel.lab.port import Port
from tests.kernel.lab.topology import Lab

NICS = ("in", "p1", "p2")


@dataclass(frozen=True, slots=True)
class Wires:
    """`near` are the node's NICs, `far` the other ends on a host of their own, by NIC."""

    near: Mapping[str, Port]
    far: Mapping[str, Port]

    def deliver(self, frames: Sequence[bytes], /, **expected: int) -> None:
        """Sends into `in` and waits until exactly `expected` came out, and nothing anywhere else.

        Keys are NICs, and "stack" for what the node's own network stack got.
        """
        with contextlib.ExitStack() as stack:
            counters = {name: stack.enter_context(far.counter()) for name, far in self.far.items()}
            counters["stack"] = stack.enter_context(self.near["in"].counter())
            self.far["in"].send(frames)
            for name, counter in counters.items():
                counter.wait(expected.get(name, 0))
            found = {name: len(counter.settled()) for name, counter in counters.items()}
        assert {name: n for name, n in found.items() if n} == expected, self.evidence()

    def attached(self) -> list[str]:
        """NICs that have an XDP program, as the kernel tells."""
        host = next(iter(self.near.values())).host
        links = json.loads(host.ip("-j", "-d", "link", "show"))
        return [link["ifname"] for link in links if "prog" in link.get("xdp", {})]

    def evidence(self) -> str:
        """What else there is to say when frames go astray."""
        return ""


def wire(lab: Lab, node: str) -> Wires:
    """New NICs for the node."""
    pairs = {nic: lab.veth((node, nic), (f"far-{node}", nic)) for nic in NICS}
    return Wires(
        near={nic: ends[0] for nic, ends in pairs.items()},
        far={nic: ends[1] for nic, ends in pairs.items()},
    )
