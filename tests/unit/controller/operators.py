"""One operator without threads: caches, plans and writes against a model cluster."""

import copy

from tests.unit.controller.model_cluster import ModelCluster
from xdpredirect.cluster.resource import DAEMONSETS, NODE_OBJECTS, NODES, PODS, REDIRECTS
from xdpredirect.controller.act import Actor, take
from xdpredirect.controller.actions import Action
from xdpredirect.controller.fleet import Fleet
from xdpredirect.controller.memory import Memory, Page
from xdpredirect.controller.observe import vanished
from xdpredirect.controller.plan import plan
from xdpredirect.controller.pod_watch import namespaces
from xdpredirect.controller.read_pod import pod_essence, read_pod
from xdpredirect.errors import ApiError

SILENCE = 60.0


class Operator:
    """`fleet` starts empty, as after a restart. `skew` in seconds: how far its clocks are from
    those of the API server. `page` is what it writes down for the next one, `term` which of all
    leaders it is."""

    def __init__(
        self, cluster: ModelCluster, skew: float = 0.0, page: Page | None = None, term: int = 1
    ) -> None:
        self.cluster, self.skew = cluster, skew
        self._memory = Memory(page) if page is not None else None
        self.fleet = Fleet(SILENCE, term)
        self.actor = Actor(cluster, "operator-0")
        self.sees_pods = True
        self._watched: frozenset[str] = frozenset()

    def look(self) -> None:
        """List everything, as the reflectors do after any break."""
        fleet = self.fleet
        nodes, objects, redirects = (
            copy.deepcopy(self.cluster.store[resource.plural])
            for resource in (NODES, NODE_OBJECTS, REDIRECTS)
        )
        for item in redirects.values():
            fleet.put_redirect(item)
        for item in nodes.values():
            fleet.put_node(item)
        for item in objects.values():
            fleet.put_object(item)
        for name in vanished(fleet.redirects, redirects):
            fleet.drop_redirect(name)
        for name in vanished(fleet.nodes, nodes):
            fleet.drop_node(name)
        for name in vanished(fleet.objects, objects):
            fleet.drop_object(name)
        for item in self.cluster.store[DAEMONSETS.plural].values():
            fleet.agents.put(copy.deepcopy(item))
        if self.sees_pods:
            self._look_at_pods()
        fleet.advance(self.cluster.now + self.skew)

    def _look_at_pods(self) -> None:
        """As `pod_watch` does, after lists that all came through."""
        wanted = namespaces(self.fleet.redirects.values())
        for gone in self._watched - wanted:
            self.fleet.pods.forget(gone)
        self._watched = wanted
        pods = [read_pod(pod_essence(item)) for item in self.cluster.store[PODS.plural].values()]
        for name in wanted:
            self.fleet.pods.listed(name, [pod for pod in pods if pod.namespace == name])

    def plan(self) -> tuple[Action, ...]:
        if self._memory is not None:
            self._memory.follow(self.fleet)
        return plan(self.fleet, self.fleet.take_due(), self.cluster.now + self.skew)

    def act(self, actions: tuple[Action, ...]) -> list[str]:
        """Perform them; what the API server refuses is returned, and planned again when asked."""
        refused = []
        for action in actions:
            try:
                stored = self.actor.perform(action, self.cluster.now + self.skew)
            except ApiError as error:
                refused.append(str(error))
                continue
            take(self.fleet, action, stored)
        return refused

    def settle(self) -> list[Action]:
        """Look, plan and act until nothing is planned any more; everything that was done."""
        done: list[Action] = []
        for _ in range(20):
            self.look()
            actions = self.plan()
            if not actions:
                return done
            done += actions
            self.act(actions)
        raise AssertionError(f"never settles; at last: {actions}")
