"""No node hears of an object that could be deleted without anybody waiting for the node."""

import time
from typing import Any

from tests.unit.controller.documents import spec
from tests.unit.controller.looks import redirect, run_agents, told
from tests.unit.controller.model_cluster import ModelCluster
from tests.unit.controller.operators import Operator
from tests.unit.controller.test_loop import PATIENCE_SECONDS, Refusing, Running, until
from xdpredirect.cluster.resource import NODE_OBJECTS, REDIRECTS, Resource
from xdpredirect.controller.actions import AddFinalizer
from xdpredirect.controller.observed import FINALIZER
from xdpredirect.errors import ApiError


class Unheld(Refusing):
    """Refuses to hold the objects of these names."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.unheld, self.attempts = set(names), 0

    def merge_patch(
        self, resource: Resource, name: str, patch: dict[str, Any], *, subresource: str = ""
    ) -> dict[str, Any]:
        if resource is REDIRECTS and name in self.unheld:
            self.attempts += 1
            raise ApiError(500, "InternalError", "no")
        return super().merge_patch(resource, name, patch, subresource=subresource)


def test_nodes_wait_until_it_is_held_and_others_do_not() -> None:
    cluster = Unheld("edge")
    cluster.now = time.time()
    cluster.write_node("a", {"zone": "1"})
    for name in ("edge", "other"):
        cluster.write_redirect(name, spec(zone="1"))
    running = Running(cluster)
    running.hear()
    running.loop.start()
    until(lambda: cluster.attempts > 2, "it is tried again")
    until(lambda: "a" in cluster.store[NODE_OBJECTS.plural], "the other does not wait")
    assert told(cluster, "a") == ["other"]
    cluster.unheld.clear()
    until(lambda: told(cluster, "a") == ["edge", "other"], "then it is told")
    running.loop.stop()
    running.loop.join(PATIENCE_SECONDS)


def test_what_runs_stays_when_somebody_takes_the_finalizer_away(
    cluster: ModelCluster, operator: Operator
) -> None:
    cluster.write_redirect("edge", spec(zone="1"))
    operator.settle()
    run_agents(cluster)
    operator.settle()
    stored = redirect(cluster)
    stored["metadata"]["finalizers"] = []
    stored["metadata"]["resourceVersion"] = "1000"
    cluster.write_node("a", {"zone": "1", "rack": "7"})
    operator.look()
    planned = operator.plan()
    assert [type(action) for action in planned] == [AddFinalizer]
    operator.act(planned)
    operator.settle()
    assert told(cluster, "a") == ["edge"]
    assert redirect(cluster)["metadata"]["finalizers"] == [FINALIZER]
