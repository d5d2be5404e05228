"""Three nodes with running agents and an operator, to play with; kept by `python -m tests.cluster`.

Each node has NICs `in`, `p1` and `p2`; the other ends are on a host `far-NODE`.
"""

import shlex
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.cluster.binaries.families import path
from tests.cluster.cluster import Cluster
from tests.cluster.fleet import Station, station
from tests.cluster.installed import install
from tests.cluster.kwok import Kwok
from tests.cluster.nodes import Nodes
from tests.cluster.operator_process import Operator
from tests.kernel.lab import Lab
from tests.kernel.lab.wires import NICS

NAMES = ("node-1", "node-2", "node-3")


class Playground:
    """Everything runs between `with` and its end."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.stations: list[Station] = []

    def __enter__(self) -> "Playground":
        with ExitStack() as stack:
            stack.enter_context(self.cluster)
            install(self.cluster)
            lab = stack.enter_context(Lab())
            nodes = Nodes(Kwok(self.cluster), lab)
            stack.callback(nodes.close)
            for node in nodes.add(*NAMES):
                self.stations.append(station(node, lab))
                node.agent.start()
            operator = Operator(self.cluster, lab)
            stack.callback(operator.process.stop)
            operator.process.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def hints(self, kubeconfig: Path) -> str:
        """What to type: shell lines."""
        far = self.stations[0].far["in"].host
        programs = shlex.quote(str(path("kubectl").parent))
        return (
            f"# three nodes with NICs {', '.join(NICS)}; agents and operator run\n"
            f"export KUBECONFIG={kubeconfig} PATH={programs}:$PATH\n"
            "kubectl get nodes\n"
            f"# a shell on a node, and on the host at the other end of its NICs\n"
            f"nsenter --net={self.stations[0].node.host.path}\n"
            f"nsenter --net={far.path}\n"
        )
