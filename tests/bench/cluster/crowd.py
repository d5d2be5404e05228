"""The agents of a thousand nodes in one process, with real requests to a real API server.

    python -m tests.bench.cluster.crowd KUBECONFIG TOKENS NOTES

Each node reports with a token of its own, bound to its pod, so that the API server does the same
work as for a real agent. One watch of all node objects stands for a thousand of one each. Lines on
standard input say `flow` (counters of every node count up) or `still`; its end ends the process.
TOKENS is a JSON object of tokens by node. NOTES gets a JSON line for each status that was stored:
`at` (monotonic seconds, when the answer came), `node`, `version`, `packets`; and one when an agent
is through with its work on a spec: `at`, `node`, `generations` by object. Started by `scene`.
"""

import heapq
import json
import logging
import random
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from tests.bench.cluster.simulated import Document as Object
from tests.bench.cluster.simulated import Simulated
from tests.bench.cluster.wires import APPLY, Wires
from xdpredirect.cluster.api import Api, Query, name_of
from xdpredirect.cluster.kubeconfig import access_from
from xdpredirect.cluster.reflector import Reflector
from xdpredirect.cluster.resource import NODE_OBJECTS, Document, Resource

USER_AGENT = "xdpredirect-agent/bench"
WORK_SECONDS = 0.35
"""What a real agent needs for a cold compilation and the swap (docs/performance.md)."""
RESYNC_SECONDS = 30.0
PACKETS = 1000
"""What each rule of a node counts between two looks while frames flow."""
STACK = 256 * 1024


class Notes:
    """Writes as the API server accepted them, one line each."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", buffering=1)
        self._lock = threading.Lock()
        self._effective: dict[str, dict[str, int]] = {}

    def add(self, stored: Object) -> None:
        """The answer to a write."""
        redirects = stored["status"].get("redirects", [])
        packets = sum(item["traffic"]["redirectedPackets"] for item in redirects)
        metadata = stored["metadata"]
        version = int(metadata["resourceVersion"])
        self._write(node=metadata["name"], version=version, packets=packets)

    def effective(self, node: str, generations: dict[str, int]) -> None:
        """The frames of this node go where these generations say; noted once."""
        if generations != self._effective.get(node):
            self._effective[node] = generations
            self._write(node=node, generations=generations)

    def _write(self, **line: object) -> None:
        with self._lock:
            self._file.write(json.dumps({"at": time.monotonic(), **line}) + "\n")


class NodeWriter:
    """What a reporter writes with: the token of one node."""

    def __init__(self, wires: Wires, notes: Notes, token: str) -> None:
        self._wires, self._notes, self._token = wires, notes, token

    def apply(
        self,
        resource: Resource,
        document: Document,
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> Document:
        """As `cluster.api.Api.apply`."""
        query = f"fieldManager={manager}&fieldValidation=Strict" + ("&force=true" if force else "")
        path = f"{resource.path(name_of(document), subresource)}?{query}"
        stored = self._wires.send("PATCH", path, document, token=self._token, content_type=APPLY)
        self._notes.add(stored)
        return stored


class Crowd:
    """A sink for the watch, and the times at which agents are through with their work."""

    def __init__(self, agents: Sequence[Simulated], notes: Notes) -> None:
        self._notes = notes
        self._agents = {agent.node: agent for agent in agents}
        self._changed = threading.Condition()
        self._due: list[tuple[float, str, bool]] = []
        self.flowing = False
        now = time.monotonic()
        for agent in agents:
            self._due.append((now + random.random() * RESYNC_SECONDS, agent.node, True))
        heapq.heapify(self._due)

    def replaced(self, items: Sequence[Document]) -> None:
        """As `cluster.reflector.Sink`."""
        for item in items:
            self.changed(item)

    def changed(self, item: Document) -> None:
        """As `cluster.reflector.Sink`."""
        agent = self._agents.get(name_of(item))
        if agent is not None and agent.saw(cast(Object, item)):
            with self._changed:
                heapq.heappush(self._due, (time.monotonic() + WORK_SECONDS, agent.node, False))
                self._changed.notify()

    def deleted(self, name: str) -> None:
        """As `cluster.reflector.Sink`."""
        agent = self._agents.get(name)
        if agent is not None:
            agent.reporter.saw(None)

    def run(self) -> None:
        """Let agents act when it is their time, for ever."""
        while True:
            with self._changed:
                at, node, resync = self._due[0]
                ahead = at - time.monotonic()
                if ahead > 0:
                    self._changed.wait(ahead)
                    continue
                heapq.heappop(self._due)
                if resync:
                    heapq.heappush(self._due, (at + RESYNC_SECONDS, node, True))
            agent = self._agents[node]
            if resync and self.flowing:
                agent.packets += PACKETS
            self._notes.effective(node, agent.act())


def main() -> None:
    """Live until standard input ends."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    kubeconfig, tokens, notes = map(Path, sys.argv[1:])
    threading.stack_size(STACK)
    access = access_from(kubeconfig)
    assert access.ca_file is not None
    wires, written = Wires(access.server, access.ca_file, USER_AGENT), Notes(notes)
    agents = [
        Simulated(node, NodeWriter(wires, written, token))
        for node, token in json.loads(tokens.read_text()).items()
    ]
    crowd = Crowd(agents, written)
    for agent in agents:
        agent.reporter.start()
    Reflector(Api.connect(kubeconfig, USER_AGENT), Query(resource=NODE_OBJECTS), crowd).start()
    threading.Thread(target=crowd.run, daemon=True).start()
    for line in sys.stdin:
        crowd.flowing = line.strip() == "flow"


main()
