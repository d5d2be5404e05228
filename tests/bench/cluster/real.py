"""One namespace node with the real agent: from `kubectl apply` to frames, and its watches.

Called by `measure`. Frames go in all the time, one every two milliseconds; the clock ends with the
first that comes out where the new object sends it.
"""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.bench import documents, objects
from tests.bench.cluster import audit
from tests.bench.cluster.scene import REAL, Scene
from tests.bench.sample import Samples
from tests.kernel.lab import Counter

RULES = 8
RATE = 500
LIMIT_SECONDS = 60.0
NAME, SET = "real", "listed"
WATCHES = "apiserver_longrunning_requests{"


def changing(scene: Scene, rounds: int) -> Samples:
    """Seconds from the start of `kubectl apply` to the first frame that goes where it says: new
    rules that have to be compiled (`cold`), and another target for the same rules (`target`). Those
    that end in `-api` begin when the API server received the object."""
    found: Samples = {"cold": [], "cold-api": [], "target": [], "target-api": []}
    _change(scene, 0, "p1")
    for number in range(1, rounds + 1):
        shutil.rmtree(scene.station.node.host.state_dir / "cache")
        for name, port in (("cold", "p1"), ("target", "p2")):
            whole, from_api = _change(scene, number, port)
            found[name].append(whole)
            found[f"{name}-api"].append(from_api)
    return found


def _change(scene: Scene, variant: int, port: str) -> tuple[float, float]:
    """Both times of one change."""
    first = objects.FIRST_PORT + variant * RULES
    frame = objects.frame(first + RULES - 1)
    made = _document(documents.five_tuples(RULES, first), port)
    far = scene.station.far
    with (
        far[port].counter(frame.__eq__) as counter,
        far["in"].stream(lambda _: frame, rate=RATE),
        ThreadPoolExecutor(1) as thread,
    ):
        came = thread.submit(_first, counter)
        began = time.time()
        scene.fleet.apply(made)
        arrived = came.result()
    written = audit.writes(scene.audit_log, began, arrived)
    received = next(w.at for w in written if (w.by, w.name) == ("kubectl", NAME))
    return arrived - began, arrived - received


def _first(counter: Counter) -> float:
    """When the first frame came, in seconds since 1970."""
    if not counter.wait(1, LIMIT_SECONDS):
        raise RuntimeError(f"no frame in {LIMIT_SECONDS:.0f} s")
    return time.time()


def _document(rules: list[documents.Document], port: str) -> dict[str, Any]:
    made = documents.redirect(rules, "in", port)
    made["metadata"]["name"] = NAME
    made["spec"]["nodeSelector"] = {"matchLabels": {"kubernetes.io/hostname": REAL}}
    return made


def watching(scene: Scene) -> Samples:
    """Watches that the agent holds, by what the API server counts with and without it; `-sets` with
    an object that uses an address set. Ends with the object of `changing` in its place."""
    agent = scene.station.node.agent
    agent.stop()
    without = _settled(scene)
    agent.start()
    with_it = _settled(scene, other_than=without)
    listed = {"name": SET}
    scene.fleet.apply(
        {
            "apiVersion": documents.API_VERSION,
            "kind": "XdpAddressSet",
            "metadata": listed,
            "spec": {"cidrs": ["192.0.2.0/24"]},
        }
    )
    scene.fleet.apply(_document(documents.from_sets(SET), "p1"))
    with_sets = _settled(scene, other_than=with_it)
    _change(scene, 0, "p1")
    scene.cluster.kubectl("delete", "xdpaddressset", SET)
    return {"watches": [with_it - without], "watches-sets": [with_sets - without]}


def _settled(scene: Scene, other_than: float = -1) -> float:
    """How many watches of our kinds there are, once that does not change for three seconds."""
    deadline, same, last = time.monotonic() + LIMIT_SECONDS, 0, -1.0
    while same < 3 or last == other_than:
        if time.monotonic() > deadline:
            raise RuntimeError(f"there are {last} watches, and it does not settle elsewhere")
        time.sleep(1)
        now = _watches(scene)
        same = same + 1 if now == last else 0
        last = now
    return last


def _watches(scene: Scene) -> float:
    lines = scene.cluster.kubectl("get", "--raw", "/metrics").splitlines()
    ours = (line for line in lines if line.startswith(WATCHES) and 'verb="WATCH"' in line)
    return sum(float(line.rsplit(" ", 1)[1]) for line in ours if f'group="{audit.GROUP}"' in line)
