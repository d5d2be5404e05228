"""An installation that tests break: two nodes with real agents, an operator, and `front` between
all of them and the API server.

Made once for a module by `conftest.arena`. On node-a everything for port 7 goes to `p1`, and frames
never stop; `edge` is the object that tests change. Each test leaves it as it found it (`mended`).
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from tests.cluster.faults import writes_to
from tests.cluster.fleet import PLURAL, Fleet, Station, redirect
from tests.cluster.front import Concerns, Front
from tests.cluster.installed import SYSTEM
from tests.cluster.kwok import Kwok
from tests.cluster.nodes import Nodes
from tests.cluster.operator_scene import LEASE, NEVER
from tests.cluster.process import Process
from tests.cluster.wire import GROUP
from tests.kernel.lab import Lab
from tests.kernel.switch import udp

STEADY, EDGE = 7, 9
STEADY_FRAME, EDGE_FRAME = udp(STEADY), udp(EDGE)
FRAMES_PER_SECOND = 200
KUBELET_SECONDS = 1.0
LABEL = "xdpredirect.io/agent"
HOSTNAME = "kubernetes.io/hostname"


class Arena:
    """`a` carries the frames that never stop, `b` has nothing but what tests give it."""

    def __init__(self, kwok: Kwok, directory: Path) -> None:
        self._kwok, self._directory = kwok, directory
        self.cluster = kwok.cluster
        self._kubelets: list[threading.Thread] = []
        self._over = threading.Event()

    def __enter__(self) -> "Arena":
        with ExitStack() as stack:
            stack.callback(self._end_kubelets)
            self.front = stack.enter_context(Front(self.cluster, self._directory))
            lab = stack.enter_context(Lab())
            nodes = Nodes(self._kwok, lab)
            stack.callback(nodes.close)
            stack.callback(self._remove_daemon_set)
            agents = self._directory / "agents.yaml"
            agents.write_text(yaml.safe_dump({"image": "registry.example/agent:1"}))
            options = ("--agents", str(agents), "--silence-seconds", NEVER)
            self.fleet = Fleet(nodes, lab, "node-a", "node-b", options=options)
            self.front.guard(self.fleet.operator.kubeconfig)
            for station in self.fleet.stations.values():
                self.front.guard(station.node.kubeconfig)
            stack.enter_context(self.fleet)
            self.apply("steady", STEADY, "p1", nodeSelector=self.only("node-a"))
            self.fleet.wait_ready("steady")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def a(self) -> Station:
        """Where `steady` runs."""
        return self.fleet.stations["node-a"]

    @property
    def b(self) -> Station:
        """Where nothing runs but what a test asks for."""
        return self.fleet.stations["node-b"]

    @property
    def operator(self) -> Process:
        """The one that there is unless a test starts another."""
        return self.fleet.operator.process

    @property
    def processes(self) -> Sequence[Process]:
        """The operator and both agents."""
        return (self.operator, self.a.node.agent, self.b.node.agent)

    def apply(self, name: str, port: int, to: str, **spec: Any) -> None:
        """An object that sends UDP for a port from `in` to `to`, on both nodes unless told."""
        match = {"protocols": ["UDP"], "destinationPorts": [{"port": port}]}
        rule = {
            "name": "one",
            "match": match,
            "action": {"type": "Device", "device": {"name": to}},
        }
        self.fleet.apply(redirect(name, to, rules=[rule], **spec))

    @staticmethod
    def only(name: str) -> dict[str, Any]:
        """The nodeSelector of one node."""
        return {"matchLabels": {HOSTNAME: name}}

    def programs(self) -> list[int]:
        """Ids of the programs on `in` of both nodes."""
        found = []
        for station in self.fleet.stations.values():
            links = json.loads(station.node.host.ip("-j", "-d", "link", "show", "dev", "in"))
            found.append(links[0].get("xdp", {}).get("prog", {}).get("id", 0))
        return found

    def edge(self, to: str = "p2", **spec: Any) -> None:
        """Applies `edge`."""
        self.apply("edge", EDGE, to, **spec)

    def delete(self, name: str = "edge") -> None:
        """Asks for it and does not wait."""
        self.cluster.kubectl("delete", "xdpredirect", name, "--wait=false", "--ignore-not-found")

    def exists(self, name: str = "edge") -> bool:
        """Whether it is still there."""
        return self.fleet.wire.request("GET", f"{GROUP}/{PLURAL}/{name}").status == 200

    def told(self, station: Station) -> list[str]:
        """What the node is to run."""
        path = f"{GROUP}/xdpredirectnodes/{station.node.name}"
        spec = self.fleet.wire.request("GET", path).body.get("spec", {})
        return [entry["name"] for entry in spec.get("redirects", [])]

    def labelled(self, station: Station) -> bool:
        """Whether the DaemonSet is to have a pod there."""
        node = self.fleet.wire.request("GET", f"/api/v1/nodes/{station.node.name}").body
        return LABEL in node["metadata"]["labels"]

    def until(self, holds: Callable[[], object], what: str) -> None:
        """As `waiting.until`, with everything that there is as evidence."""
        self.fleet.until(holds, what, "edge")

    def until_ready(self, generation: int, to: str = "p2") -> None:
        """Waits until both nodes do what this generation of `edge` says."""
        acted = self.fleet.condition
        self.until(lambda: acted("edge").get("observedGeneration") == generation, "it was acted on")
        self.fleet.wait_ready("edge")
        self.b.deliver([EDGE_FRAME] * 3, **{to: 3})

    def until_gone(self) -> None:
        """Waits until `edge` is; at this moment nobody may run it any more."""
        self.until(lambda: not self.exists(), "edge is gone")
        assert (self.told(self.a), self.told(self.b)) == (["steady"], [])
        self.b.deliver([EDGE_FRAME] * 3, stack=3)
        self.until(lambda: not self.labelled(self.b), "no agent is wanted on node-b")

    def restart(self) -> None:
        """Another operator, which finds the lease free."""
        self.fleet.wire.request("DELETE", LEASE)
        self.operator.start()

    @contextmanager
    def kubelet(self, *processes: Process) -> Iterator[None]:
        """Starts each of them again when it ends, as kubelet does with a container."""
        done, idle = threading.Event(), threading.Event()

        def keep() -> None:
            while not done.wait(KUBELET_SECONDS):
                for process in processes:
                    if process.pid is None:
                        process.start()
            idle.set()
            # What a thread has started is killed when it ends (see `Process.start`).
            self._over.wait()

        thread = threading.Thread(target=keep, name="kubelet")
        self._kubelets.append(thread)
        thread.start()
        try:
            yield
        finally:
            done.set()
            idle.wait()

    @contextmanager
    def mended(self) -> Iterator[None]:
        """Around a test: whatever it breaks, every frame of `steady` arrives, no write of anybody
        asks node-a for anything without it, and in the end all is as it was."""
        begun = len(self.front.asked)
        with self.a.far["p1"].counter(lambda frame: frame == STEADY_FRAME) as arrived:
            wire = self.a.far["in"].stream(lambda _: STEADY_FRAME, rate=FRAMES_PER_SECOND)
            with wire as stream:
                try:
                    yield
                finally:
                    self._mend()
            arrived.exactly(stream.sent)
        assert stream.sent > 0
        asks: Concerns = writes_to("/xdpredirectnodes/node-a$")
        for asked in self.front.asked[begun:]:
            if asks(asked):
                names = [item["name"] for item in asked.document()["spec"]["redirects"]]
                assert "steady" in names, asked

    def _mend(self) -> None:
        self.front.heal()
        for process in self.processes:
            if process.pid is None:
                process.start()
            else:
                process.freeze(False)
        self.fleet.delete(*({*self.fleet.wire.names(PLURAL)} - {"steady"}))

    def _end_kubelets(self) -> None:
        self._over.set()
        for thread in self._kubelets:
            thread.join()

    def _remove_daemon_set(self) -> None:
        self.cluster.kubectl("delete", "daemonset", "-n", SYSTEM, "--all")
