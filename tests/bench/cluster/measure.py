"""All measurements of a cluster, one after the other on the same one. Called by `__main__`."""

import time
from contextlib import ExitStack

from tests.bench.cluster import fleet, real
from tests.bench.cluster.lag import percentile
from tests.bench.cluster.scene import Scene
from tests.bench.process import resident
from tests.bench.sample import Samples, Spread, spread
from tests.kernel.lab.turn import turn

FEW = 10
SETTLE_SECONDS = 10.0


def measure(nodes: int, changes: int, rounds: int, seconds: float) -> dict[str, Spread]:
    """`changes` on the real node, `rounds` on `nodes` simulated ones, `seconds` of rest and of
    traffic; results by their names in budgets.toml."""
    with ExitStack() as held:
        # Tests on this machine look for programs that are left behind; later no more are made.
        held.enter_context(turn())
        with Scene() as scene:
            found = real.changing(scene, changes) | real.watching(scene)
            held.close()
            found |= _crowded(scene, nodes, rounds, seconds)
            print(*scene.complaints(), sep="\n")
    made = {f"cluster.{name}": spread(values) for name, values in found.items()}
    for name in ("cold", "target"):
        values = found[name]
        made[f"cluster.{name}-p99"] = Spread(percentile(values, 99), min(values), max(values))
    return made


def _crowded(scene: Scene, nodes: int, rounds: int, seconds: float) -> Samples:
    scene.grow(FEW)
    time.sleep(SETTLE_SECONDS)
    found: Samples = {"agent-few": [resident(scene.agent)]}
    scene.grow(nodes)
    scene.enliven()
    found |= fleet.measure(scene, nodes, rounds, seconds)
    found["agent-many"] = [resident(scene.agent)]
    return found
