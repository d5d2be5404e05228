"""Git says what every node is to do, Argo CD says how they do: the whole path, with real frames."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import yaml

from tests.cluster.cluster import ROOT
from tests.cluster.fleet import PLURAL, Fleet
from tests.cluster.waiting import until
from tests.gitops.application import Application
from tests.gitops.argo import Argo
from tests.gitops.manifests import NETWORK, edge, manifest
from tests.gitops.repository import Repository
from tests.kernel.switch import udp

FRAME = udp(7)
EDGE = "redirects/edge.yaml"
# Argo CD does not prune the last object of an Application: that is more often a mistake.
REST = {"redirects/sets.yaml": (ROOT / "examples/address-sets.yaml").read_text()}
RESYNCS = 3
WAVE = "argocd.argoproj.io/sync-wave"


@contextmanager
def following(
    argo: Argo, repository: Repository, files: Mapping[str, str]
) -> Iterator[Application]:
    """The Application of docs/gitops, Synced with a first commit."""
    first = repository.begin({**files, **REST})
    document = manifest("argocd/redirects.yaml", {NETWORK: repository.url})
    with Application(argo, document) as application:
        application.until(sync="Synced", revision=first)
        yield application


def later() -> str:
    """The file of an object of the next wave: port 8 to `p2`, before `edge` takes the frame."""
    document = edge("p2", priority=100)
    document["metadata"] |= {"name": "later", "annotations": {WAVE: "1"}}
    (rule,) = document["spec"]["rules"]
    rule["match"] = {"protocols": ["UDP"], "destinationPorts": [{"port": 8}]}
    return yaml.safe_dump(document)


def file(to: str, **spec: Any) -> dict[str, str]:
    """The file of `edge`, for a commit."""
    return {EDGE: yaml.safe_dump(edge(to, **spec))}


def test_a_commit_changes_the_datapath_and_pruning_detaches(
    argo: Argo, network_repository: Repository, fleet: Fleet
) -> None:
    a, b = fleet.stations["node-a"], fleet.stations["node-b"]
    with following(argo, network_repository, file("p1")) as application:
        application.until(sync="Synced", health="Healthy")
        words = "running on 2 interfaces of 2 nodes"
        assert application.health_of("XdpRedirect", "edge")["message"] == words
        a.deliver([FRAME] * 5, p1=5)
        b.deliver([FRAME] * 3, p1=3)

        changed = network_repository.commit(file("p2"))
        application.until(sync="Synced", health="Healthy", revision=changed)
        a.deliver([FRAME] * 4, p2=4)
        b.deliver([FRAME] * 2, p2=2)

        removed = network_repository.commit({EDGE: None})
        application.until(sync="Synced", revision=removed)
        until(lambda: not attached(fleet), "the kernel has let go", evidence=argo.evidence)
        a.deliver([FRAME] * 2, stack=2)


def test_progressing_until_every_node_redirects(
    argo: Argo, network_repository: Repository, fleet: Fleet
) -> None:
    a, b = fleet.stations["node-a"], fleet.stations["node-b"]
    b.node.agent.freeze(True)
    with following(argo, network_repository, file("p1")) as application:
        words = "generation 1: 1 of 2 nodes acted on it"
        application.until_health("XdpRedirect", "edge", "Progressing", words)
        a.deliver([FRAME] * 2, p1=2)
        b.deliver([FRAME] * 2, stack=2)
        assert application.state()["health"] == "Progressing"
        b.node.agent.freeze(False)
        application.until(sync="Synced", health="Healthy")
        b.deliver([FRAME] * 2, p1=2)


def test_the_next_wave_waits_until_every_node_redirects(
    argo: Argo, network_repository: Repository, fleet: Fleet
) -> None:
    b = fleet.stations["node-b"]
    network_repository.begin({**file("p1"), **REST, "redirects/later.yaml": later()})
    b.node.agent.freeze(True)
    document = manifest("argocd/redirects.yaml", {NETWORK: network_repository.url})
    with Application(argo, document) as application:
        words = "waiting for healthy state of xdpredirect.io/XdpRedirect/edge"
        until(lambda: words in application.operation(), words, evidence=application.evidence)
        assert fleet.wire.names(PLURAL) == ["edge"]
        words = "generation 1: 1 of 2 nodes acted on it"
        fleet.until(lambda: fleet.condition("edge").get("message") == words, words, "edge")
        fleet.stations["node-a"].deliver([udp(8)] * 2, p1=2)
        b.node.agent.freeze(False)
        application.until(sync="Synced", health="Healthy")
        assert fleet.wire.names(PLURAL) == ["edge", "later"]
        b.deliver([udp(8)] * 3, p2=3)
        b.deliver([FRAME] * 4, p1=4)


def test_degraded_in_the_words_of_the_node(
    argo: Argo, network_repository: Repository, fleet: Fleet
) -> None:
    b = fleet.stations["node-b"]
    with following(argo, network_repository, file("p1")) as application:
        application.until(sync="Synced", health="Healthy")
        b.node.host.ip("link", "set", "p1", "down")
        words = "TargetDown: 1 of 2 nodes; node-b: in: p1 is down. Run `ip link set p1 up`."
        application.until_health("XdpRedirect", "edge", "Degraded", words)
        application.until(sync="Synced", health="Degraded")
        b.node.host.ip("link", "set", "p1", "up")
        application.until(sync="Synced", health="Healthy")

        missing = network_repository.commit(file("p9"))
        application.until(sync="Synced", health="Degraded", revision=missing)
        application.until_health("XdpRedirect", "edge", "Degraded", "p9")
        paused = network_repository.commit(file("p1", state="Paused"))
        application.until(sync="Synced", health="Suspended", revision=paused)


def test_nothing_is_written_while_nothing_changes(
    argo: Argo, product: Application, network_repository: Repository, fleet: Fleet
) -> None:
    a = fleet.stations["node-a"]
    with following(argo, network_repository, file("p1")) as application:
        both = (product, application)
        for one in both:
            one.until(sync="Synced", health="Healthy")
        syncs, writes = [one.syncs() for one in both], argo.writes()
        assert any("/xdpredirects/edge" in write for write in writes), "the log tells writes"
        versions = [one.get()["metadata"]["resourceVersion"] for one in both]
        for _ in range(RESYNCS):
            # Counters in the status move all along, and are nothing that Git has an opinion of.
            a.deliver([FRAME] * 3, p1=3)
            looked_again(*both)
        assert [one.syncs() for one in both] == syncs
        assert argo.writes() == writes
        for one, version in zip(both, versions, strict=True):
            assert {state["sync"] for state in one.states_since(version)} == {"Synced"}
            assert {state["health"] for state in one.states_since(version)} == {"Healthy"}


def looked_again(*applications: Application) -> None:
    """Waits until Argo CD has held each against Git once more."""
    before = [one.looked() for one in applications]

    def all_anew() -> bool:
        return all(one.looked() != old for one, old in zip(applications, before, strict=True))

    until(all_anew, "a resync", evidence=applications[-1].evidence)


def attached(fleet: Fleet) -> list[str]:
    return [nic for station in fleet.stations.values() for nic in station.attached()]
