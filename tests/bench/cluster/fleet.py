"""A thousand simulated nodes: what a change of an object takes, and what the operator takes.

Called by `measure`.
"""

import time
from typing import Any

from tests.bench import documents, objects
from tests.bench.cluster import audit
from tests.bench.cluster.lag import lags, percentile
from tests.bench.cluster.population import LABEL
from tests.bench.cluster.scene import CANARY, ROLE, Scene
from tests.bench.cluster.trace import State, Trace, effective
from tests.bench.process import cpu_seconds, resident
from tests.bench.sample import Samples
from tests.cluster.wire import GROUP

RULES = 8
SETTLE_SECONDS = 5.0
WARM_SECONDS = 40.0
"""Every node has reported counters once by then."""
NAME = "crowd"


def measure(scene: Scene, nodes: int, rounds: int, seconds: float) -> Samples:
    """`rounds` changes of an object on `nodes` nodes; then `seconds` without and with traffic, a
    restart, and the end of the object. See budgets.toml for the units."""
    with Trace(scene.cluster, NAME) as trace:
        found = _changing(scene, trace, nodes, rounds)
        found |= _resting(scene, seconds)
        found |= _flowing(scene, trace, seconds)
        found |= _restarting(scene, rounds)
        found |= _ending(scene, trace)
    return found


def document(name: str, role: str, variant: int) -> dict[str, Any]:
    """The object, with rules that no other variant has."""
    made = documents.redirect(documents.five_tuples(RULES, objects.FIRST_PORT + variant), "in")
    made["metadata"]["name"] = name
    made["spec"]["nodeSelector"] = {"matchLabels": {LABEL: role}}
    return made


def _changing(scene: Scene, trace: Trace, nodes: int, rounds: int) -> Samples:
    """The first apply makes the node objects; each further one changes them."""
    found: Samples = {name: [] for name in ("first", "apply", "peak", "writes")}
    found |= {"first-effective": [], "apply-effective": []}
    found |= {f"{program}-cpu": [] for program in scene.cpu_seconds()}
    for generation in range(1, rounds + 2):
        wall, began, before = time.time(), time.monotonic(), scene.cpu_seconds()
        scene.fleet.apply(document(NAME, ROLE, generation))
        at = trace.until(effective(generation, nodes), began, f"generation {generation}")
        for program, used in scene.cpu_seconds().items():
            found[f"{program}-cpu"].append(used - before[program])
        _check(scene, generation, nodes)
        which = "first" if generation == 1 else "apply"
        found[which].append(at - began)
        found[f"{which}-effective"].append(_last(scene, generation, nodes) - began)
        written = audit.ours(audit.writes(scene.audit_log, wall))
        found["peak"].append(audit.peak(written))
        found["writes"].append(len(written) / nodes)
        time.sleep(SETTLE_SECONDS)
    return found


def _check(scene: Scene, generation: int, nodes: int) -> None:
    """Whether it is true what the object says, by a look at every node object."""
    items = scene.fleet.wire.request("GET", f"{GROUP}/xdpredirectnodes").body["items"]
    running = sum(_runs(item, generation) for item in items)
    if running != nodes:
        raise RuntimeError(f"Ready at generation {generation}, but on {running} of {nodes} nodes")


def _last(scene: Scene, generation: int, nodes: int) -> float:
    """When the last agent was through with its work, on the monotonic clock."""
    done = scene.effective(NAME, generation)
    if len(done) != nodes:
        raise RuntimeError(f"{len(done)} of {nodes} agents have noted generation {generation}")
    return max(done.values())


def _runs(item: State, generation: int) -> bool:
    status = item.get("status", {})
    done = {(e["name"], e["observedGeneration"], e["state"]) for e in status.get("redirects", [])}
    answered = status.get("observedRevision") == item["spec"]["revision"]
    return answered and (NAME, generation, "Active") in done


def _resting(scene: Scene, seconds: float) -> Samples:
    """Writes a minute while counters are flat."""
    time.sleep(SETTLE_SECONDS)
    wall = time.time()
    before = cpu_seconds(scene.operator)
    time.sleep(seconds)
    used = cpu_seconds(scene.operator) - before
    everything = audit.writes(scene.audit_log, wall)
    leases = sum("leases" in w.resource and w.by == audit.OPERATOR for w in everything)
    return {
        "rest": [len(audit.ours(everything)) * 60 / seconds],
        "rest-lease": [leases * 60 / seconds],
        "rest-cpu": [100 * used / seconds],
    }


def _flowing(scene: Scene, trace: Trace, seconds: float) -> Samples:
    """Every node reports other counters each 30 seconds."""
    scene.tell("flow")
    time.sleep(WARM_SECONDS)
    since, wall, before = time.monotonic(), time.time(), cpu_seconds(scene.operator)
    time.sleep(seconds)
    used = cpu_seconds(scene.operator) - before
    until = time.monotonic()
    written = audit.ours(audit.writes(scene.audit_log, wall, time.time()))
    notes = scene.notes()
    events = sum(since <= note.at < until for note in notes)
    # What was written last needs a status that holds it.
    time.sleep(SETTLE_SECONDS)
    late = [n for n in notes if n.at < until]
    ages = lags(late, trace.sums(), since)
    scene.tell("still")
    time.sleep(WARM_SECONDS)
    return {
        "flow": [len(written) / seconds],
        "event-cpu": [1000 * used / events],
        "lag-p50": [percentile(ages, 50)],
        "lag": [percentile(ages, 99)],
        "rss": [resident(scene.operator)],
        "rss-peak": [resident(scene.operator, "VmHWM")],
    }


def _restarting(scene: Scene, rounds: int) -> Samples:
    """From the start of a new operator to a change that was made meanwhile, of an object of its own
    on a node of its own: whatever else it writes is too much."""
    found: Samples = {"restart": [], "restart-writes": []}
    with Trace(scene.cluster, CANARY) as trace:
        _change_canary(scene, trace, 1)
        for generation in range(2, rounds + 2):
            process = scene.fleet.operator.process
            process.stop()
            wall, began = time.time(), time.monotonic()
            scene.fleet.apply(document(CANARY, CANARY, generation))
            began = time.monotonic()
            process.start()
            at = trace.until(effective(generation, 1), began, f"generation {generation}")
            found["restart"].append(at - began)
            time.sleep(SETTLE_SECONDS)
            written = audit.ours(audit.writes(scene.audit_log, wall))
            others = [w for w in written if w.name.split(".")[0] != CANARY]
            found["restart-writes"].append(float(len(others)))
    scene.fleet.delete(CANARY)
    return found


def _change_canary(scene: Scene, trace: Trace, generation: int) -> None:
    began = time.monotonic()
    scene.fleet.apply(document(CANARY, CANARY, generation))
    trace.until(effective(generation, 1), began, f"generation {generation}")


def _ending(scene: Scene, trace: Trace) -> Samples:
    """`kubectl delete`, which returns when every node has detached."""
    began = time.monotonic()
    scene.fleet.delete(NAME)
    at = trace.until(lambda state: not state, began, "gone")
    return {"delete": [at - began]}
