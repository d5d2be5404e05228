"""A namespace node with NICs `in`, `p1` and `p2`, and its XdpRedirectNode written by hand.

Used by test_agent*.py: here the operator is the test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.cluster.nodes import Nodes
from tests.cluster.waiting import PATIENCE_SECONDS, until
from tests.cluster.wire import GROUP, Answer, Wire
from tests.kernel.lab import Lab, Port
from tests.kernel.lab.wires import NICS
from tests.kernel.loaded import CACHE
from tests.kernel.switch import udp
from tests.spec.frames import HOST4
from xdpredirect.agent.readiness import READY_FILE
from xdpredirect.api.node import address_sets_of, features_of
from xdpredirect.kernel.host import observe_host

FRAME = udp(7)
PLURAL = "xdpredirectnodes"


def spec_to(port: str, **more: Any) -> dict[str, Any]:
    """The spec of an XdpRedirect without nodeSelector: everything from `in` to `port`."""
    rule = {
        "name": "r",
        "match": {"all": True},
        "action": {"type": "Device", "device": {"name": port}},
    }
    return {"interfaces": [{"names": ["in"]}], "protect": "None", "rules": [rule], **more}


class AgentScene:
    """The node, what is at the other ends of its NICs, and its object on the API server. `source`
    is the network of the frames that are sent."""

    source = f"{HOST4}/32"

    def __init__(self, nodes: Nodes, lab: Lab, name: str = "node-a") -> None:
        self.nodes, self.lab = nodes, lab
        (self.node,) = nodes.add(name)
        self.name = name
        self.cluster = self.node.cluster
        self.wire = Wire(self.cluster)
        self.far: dict[str, Port] = {
            nic: lab.veth((name, nic), (f"far-{name}", nic))[1] for nic in NICS
        }
        CACHE.mkdir(mode=0o700, exist_ok=True)
        (self.node.host.state_dir / "cache").symlink_to(CACHE)
        self._revision = 0

    def order(
        self, redirects: Mapping[str, tuple[int, dict[str, Any]]], **more: Any
    ) -> dict[str, Any]:
        """Writes the node object: (generation, spec) by name. Returns it as stored."""
        self._revision += 1
        specs = [spec for _, spec in redirects.values()]
        spec = {
            "revision": self._revision,
            "requiredFeatures": sorted({f for s in specs for f in features_of(s)}),
            "addressSets": sorted({n for s in specs for n in address_sets_of(s)}),
            "redirects": [
                {"name": name, "uid": f"uid-{name}", "generation": generation, "spec": spec}
                for name, (generation, spec) in redirects.items()
            ],
            **more,
        }
        return self.apply(spec)

    def apply(self, spec: dict[str, Any]) -> dict[str, Any]:
        """The same for a whole spec."""
        document = {
            "apiVersion": "xdpredirect.io/v1alpha1",
            "kind": "XdpRedirectNode",
            "metadata": {"name": self.name},
            "spec": spec,
        }
        answer = self.wire.request(
            "PATCH",
            f"{GROUP}/{PLURAL}/{self.name}?fieldManager=test&force=true&fieldValidation=Strict",
            document,
            "application/apply-patch+yaml",
        )
        assert answer.status in (200, 201), answer
        return answer.body

    def put_set(self, name: str, *cidrs: str) -> None:
        """Writes an XdpAddressSet."""
        document = {
            "apiVersion": "xdpredirect.io/v1alpha1",
            "kind": "XdpAddressSet",
            "metadata": {"name": name},
            "spec": {"cidrs": list(cidrs)},
        }
        answer = self.wire.request(
            "PATCH",
            f"{GROUP}/xdpaddresssets/{name}?fieldManager=test&force=true",
            document,
            "application/apply-patch+yaml",
        )
        assert answer.status in (200, 201), answer

    def delete_set(self, name: str) -> None:
        """Deletes an XdpAddressSet."""
        self.wire.request("DELETE", f"{GROUP}/xdpaddresssets/{name}")

    def stored(self) -> dict[str, Any]:
        """The node object as the server has it."""
        answer: Answer = self.wire.request("GET", f"{GROUP}/{PLURAL}/{self.name}")
        assert answer.status == 200, answer
        return answer.body

    def status(self) -> dict[str, Any]:
        """Of the node object; empty while there is none."""
        return dict(self.stored().get("status", {}))

    def condition(self, kind: str = "Ready") -> tuple[str, str]:
        """(status, reason) of a condition."""
        for item in self.status().get("conditions", []):
            if item["type"] == kind:
                return item["status"], item["reason"]
        return "", ""

    def entry(self, name: str = "edge") -> dict[str, Any]:
        """What the status says of one XdpRedirect; empty when it says nothing."""
        found = self.status().get("redirects", [])
        return next((item for item in found if item["name"] == name), {})

    def program(self) -> int:
        """Id of the program on `in`, 0 for none."""
        with self.node.host.enter():
            links = observe_host().links
        return next(link.xdp_prog_id for link in links if link.name == "in")

    def leads_to(self, nic: str, seconds: float = 0.2) -> bool:
        """Whether a frame sent into `in` comes out of `nic` within that time."""
        with self.far[nic].counter(lambda frame: frame == FRAME) as arrived:
            self.far["in"].send([FRAME])
            return bool(arrived.wait(1, timeout=seconds))

    def until(
        self, holds: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """As `waiting.until`, with the agent's log and the object as evidence."""
        until(holds, what, seconds, lambda: f"{self.node.agent.tail()}\n{self._shown()}")

    def ready(self) -> bool:
        """What the readinessProbe of the agent's pod would find."""
        return (self.node.host.state_dir / READY_FILE).exists()

    def observed(self, document: Mapping[str, Any]) -> bool:
        """Whether the status is about the revision of a written object."""
        return bool(self.status().get("observedRevision", 0) >= document["spec"]["revision"])

    def remove(self) -> None:
        """Deletes the node object; what runs stays."""
        self.wire.request("DELETE", f"{GROUP}/{PLURAL}/{self.name}")
        until(lambda: self.name not in self.wire.names(PLURAL), "the node object is gone")

    def _shown(self) -> str:
        try:
            answer = self.wire.request("GET", f"{GROUP}/{PLURAL}/{self.name}")
        except OSError as error:
            return str(error)
        answer.body.get("metadata", {}).pop("managedFields", None)
        return json.dumps(answer.body, indent=1)[:6000]
