"""A whole installation: the operator, and nodes whose NICs lead to hosts that count frames.

with Fleet(nodes, lab, "node-a", "node-b") as fleet:
    fleet.apply(redirect("edge", to="p1"))
    fleet.wait_ready("edge")
    fleet.stations["node-a"].deliver([frame] * 9, p1=9)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tests.cluster.nodes import NamespaceNode, Nodes
from tests.cluster.operator_process import Operator
from tests.cluster.waiting import until
from tests.cluster.wire import GROUP, Wire
from tests.kernel.lab import Lab
from tests.kernel.lab.wires import Wires, wire
from tests.kernel.loaded import CACHE

PLURAL = "xdpredirects"
WAIT_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Station(Wires):
    """A node with its NICs."""

    node: NamespaceNode

    def evidence(self) -> str:
        """The end of its agent's log."""
        return self.node.agent.tail()


class Fleet:
    """`stations` by node name; operator and agents run from `with` to its end. `options` are the
    operator's."""

    def __init__(self, nodes: Nodes, lab: Lab, *names: str, options: Sequence[str] = ()) -> None:
        self.nodes, self.lab = nodes, lab
        self.stations = {node.name: station(node, lab) for node in nodes.add(*names)}
        self.cluster = next(iter(self.stations.values())).node.cluster
        self.operator = Operator(self.cluster, lab, "operator", *options)
        self.wire = Wire(self.cluster)

    def __enter__(self) -> "Fleet":
        for station in self.stations.values():
            station.node.agent.start()
        self.operator.process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._abandon()
            return
        try:
            self.delete(*self.wire.names(PLURAL))
        finally:
            code = self.operator.process.stop()
        assert code == 0, f"SIGTERM did not end the operator: {code}"

    def apply(self, document: Mapping[str, Any]) -> None:
        """`kubectl apply`, as a user does."""
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps(document))

    def wait_ready(self, name: str) -> None:
        """`kubectl wait` until Ready for the generation of now; AssertionError with all words."""
        limit = f"--timeout={WAIT_SECONDS}s"
        argv = ["wait", "--for=condition=Ready", limit, f"xdpredirect/{name}"]
        done = self.cluster.try_kubectl(argv)
        assert done.returncode == 0, f"{done.stderr}\n{self.evidence(name)}"

    def object(self, name: str) -> dict[str, Any]:
        """The XdpRedirect as the server has it."""
        return self.wire.request("GET", f"{GROUP}/{PLURAL}/{name}").body

    def status(self, name: str) -> dict[str, Any]:
        """Its status; empty before there is one."""
        return dict(self.object(name).get("status", {}))

    def condition(self, name: str, kind: str = "Ready") -> dict[str, Any]:
        """One of its conditions; empty where it is not set."""
        found = self.status(name).get("conditions", [])
        return next((one for one in found if one["type"] == kind), {})

    def delete(self, *names: str) -> None:
        """`kubectl delete`, which returns when no node has anything of them attached."""
        if names:
            argv = ["delete", "xdpredirect", *names, f"--timeout={WAIT_SECONDS}s"]
            done = self.cluster.try_kubectl(argv)
            assert done.returncode == 0, f"{done.stderr}\n{self.evidence(names[0])}"

    def evidence(self, name: str) -> str:
        """What the object says, and the ends of all logs."""
        found = self.object(name)
        found.get("metadata", {}).pop("managedFields", None)
        said = json.dumps(found, indent=1)
        return "\n\n".join([said, self.operator.process.tail(), self.nodes.evidence()])

    def until(self, holds: Any, what: str, name: str) -> None:
        """As `waiting.until`, with everything that the object and the logs say."""
        until(holds, what, evidence=lambda: self.evidence(name))

    def _abandon(self) -> None:
        """After a failure nobody waits for a finalizer: what is attached goes with its host."""
        self.operator.process.kill()
        for name in self.wire.names(PLURAL):
            self.wire.erase(PLURAL, name)


def station(node: NamespaceNode, lab: Lab) -> Station:
    """Gives a node its NICs."""
    made = wire(lab, node.name)
    # Compiled programs are addressed by content: tests share them.
    CACHE.mkdir(mode=0o700, exist_ok=True)
    (node.host.state_dir / "cache").symlink_to(CACHE)
    return Station(near=made.near, far=made.far, node=node)


def redirect(name: str, to: str, **spec: Any) -> dict[str, Any]:
    """Everything that arrives on `in` leaves through `to`, on every node unless `spec` says so."""
    rule = {
        "name": "all",
        "match": {"all": True},
        "action": {"type": "Device", "device": {"name": to}},
    }
    fields = {
        "nodeSelector": {},
        "interfaces": [{"names": ["in"]}],
        "protect": "None",
        "rules": [rule],
        **spec,
    }
    return {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirect",
        "metadata": {"name": name},
        "spec": fields,
    }
