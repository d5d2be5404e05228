"""The cluster that is measured: a control plane with config/, one namespace node with the real
agent, the operator, and later a crowd of simulated nodes.

Made by `measure`. Controller manager and scheduler end once the namespace node is there: they have
no part in what is measured, and would be busy with a thousand Nodes that nobody keeps Ready.
"""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.bench.cluster.lag import Note
from tests.bench.cluster.population import populate
from tests.bench.process import cpu_seconds
from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.fleet import Fleet, Station
from tests.cluster.installed import install
from tests.cluster.kwok import Kwok
from tests.cluster.nodes import Nodes
from tests.kernel.lab import Lab

REAL = "real"
ROLE, CANARY = "crowd", "canary"
CROWD = "tests.bench.cluster.crowd"


class Scene:
    """Use it in a `with` statement; everything ends with it."""

    def __enter__(self) -> "Scene":
        with ExitStack() as stack:
            self.cluster = stack.enter_context(Cluster())
            install(self.cluster)
            kwok = Kwok(self.cluster)
            lab = stack.enter_context(Lab())
            nodes = Nodes(kwok, lab)
            stack.callback(nodes.close)
            self.fleet = Fleet(nodes, lab, REAL)
            # Tests share one; here it must be known what is in it.
            (self.station.node.host.state_dir / "cache").unlink()
            stack.enter_context(self.fleet)
            for process in (
                self.cluster.control_plane.controller_manager,
                self.cluster.control_plane.scheduler,
            ):
                process.kill()
            self.directory = Path(lab.host("operator").state_dir)
            self._tokens: dict[str, str] = {}
            self._crowd: subprocess.Popen[str] | None = None
            stack.callback(self.dismiss)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def station(self) -> Station:
        """The namespace node."""
        return self.fleet.stations[REAL]

    @property
    def operator(self) -> int:
        """Process id of the operator; RuntimeError when it has ended."""
        pid = self.fleet.operator.process.pid
        if pid is None:
            raise RuntimeError(self.fleet.operator.process.tail())
        return pid

    @property
    def agent(self) -> int:
        """Process id of the real agent; RuntimeError when it has ended."""
        pid = self.station.node.agent.pid
        if pid is None:
            raise RuntimeError(self.station.node.agent.tail())
        return pid

    @property
    def audit_log(self) -> Path:
        """Of the API server."""
        return self.cluster.control_plane.audit_log

    def cpu_seconds(self) -> dict[str, float]:
        """Of the operator, of API server and etcd, and of the crowd, since their start."""
        assert self._crowd is not None
        plane = self.cluster.control_plane
        servers = [pid for pid in (plane.api_server.pid, plane.etcd.pid) if pid is not None]
        return {
            "operator": cpu_seconds(self.operator),
            "server": sum(map(cpu_seconds, servers)),
            "crowd": cpu_seconds(self._crowd.pid),
        }

    def complaints(self) -> list[str]:
        """Warnings and errors in the logs of the operator, the agent and the crowd."""
        node = self.station.node.agent.log
        logs = (self.fleet.operator.process.log, node, self.directory / "crowd.log")
        lines = (line for log in logs for line in log.read_text(errors="replace").splitlines())
        return [line for line in lines if line.lower().startswith(("warning", "error"))]

    def grow(self, total: int) -> None:
        """Simulated nodes until there are `total`, nobody on them yet."""
        names = [f"sim-{number:04}" for number in range(len(self._tokens), total)]
        self._tokens |= populate(self.cluster, names, ROLE)

    def enliven(self) -> None:
        """Agents for all simulated nodes, and one more of them that changes apart."""
        self._tokens |= populate(self.cluster, [CANARY], CANARY)
        tokens = self.directory / "tokens.json"
        tokens.touch(mode=0o600)
        tokens.write_text(json.dumps(self._tokens))
        files = [str(self.cluster.kubeconfig), str(tokens), str(self._notes)]
        with (self.directory / "crowd.log").open("wb") as log:
            self._crowd = subprocess.Popen(
                [sys.executable, "-m", CROWD, *files],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                cwd=ROOT,
            )

    def tell(self, word: str) -> None:
        """`flow` or `still`, to the crowd."""
        assert self._crowd is not None
        assert self._crowd.stdin is not None
        if self._crowd.poll() is not None:
            raise RuntimeError((self.directory / "crowd.log").read_text()[-2000:])
        self._crowd.stdin.write(word + "\n")
        self._crowd.stdin.flush()

    def notes(self) -> list[Note]:
        """What the crowd has written, the canary left out."""
        found = (Note(**line) for line in self._lines() if "version" in line)
        return [note for note in found if note.node != CANARY]

    def effective(self, name: str, generation: int) -> dict[str, float]:
        """By node, when its agent was through with its work on that generation of an object."""
        done = (line for line in self._lines() if "generations" in line)
        return {
            line["node"]: line["at"] for line in done if line["generations"].get(name) == generation
        }

    def dismiss(self) -> None:
        """End the crowd."""
        if self._crowd is not None:
            assert self._crowd.stdin is not None
            self._crowd.stdin.close()
            try:
                self._crowd.wait(10)
            except subprocess.TimeoutExpired:
                self._crowd.kill()
                self._crowd.wait()

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._notes.read_text().splitlines()]

    @property
    def _notes(self) -> Path:
        return self.directory / "notes.jsonl"
