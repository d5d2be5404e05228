"""The operator on a real API server: what nodes are told, and what the object says of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.operator_process import Operator
from tests.cluster.replies import Answering, redirect
from tests.cluster.waiting import until
from tests.kernel.lab import Lab

ZONE = "example.com/zone"


@pytest.fixture
def replica(installed: Cluster) -> Iterator[Operator]:
    """One operator, for which no node falls silent during a test."""
    with Lab() as lab:
        made = Operator(installed, lab, "operator", "--silence-seconds", "600")
        made.process.start()
        try:
            yield made
        finally:
            made.process.stop()


@pytest.fixture
def answering(installed: Cluster) -> Iterator[Answering]:
    made = Answering(installed)
    try:
        yield made
    finally:
        made.remove(*made.names)


class Objects:
    """XdpRedirects of one test, as people handle them."""

    def __init__(self, cluster: Cluster, replica: Operator, answering: Answering) -> None:
        self.cluster, self.replica, self.answering = cluster, replica, answering
        self.names: set[str] = set()

    def apply(self, name: str, selector: dict[str, str], **more: Any) -> None:
        document = json.dumps(redirect(name, selector, **more))
        self.cluster.kubectl("apply", "-f", "-", input=document)
        self.names.add(name)

    def get(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.cluster.kubectl("get", "xdpredirect", name, "-o", "json")))

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        for item in self.get(name)["status"].get("conditions", []):
            if item["type"] == kind:
                return item["status"], item["reason"]
        return "", ""

    def wait(self, name: str, condition: str = "Ready") -> None:
        """As scripts do; KubectlError when it does not become true."""
        waited = ["--for", f"condition={condition}", "--timeout=60s"]
        self.cluster.kubectl("wait", f"xdpredirect/{name}", *waited)

    def until(self, holds: Any, what: str) -> None:
        until(holds, what, evidence=self.replica.process.tail)

    def until_told(self, node: str, *names: str) -> None:
        self.until(
            lambda: [name for name, _ in self.answering.told(node)] == list(names),
            f"node {node} is told to run {names}",
        )

    def until_condition(self, name: str, kind: str, status: str, reason: str) -> None:
        self.until(
            lambda: self.condition(name, kind) == (status, reason), f"{name}: {kind} {reason}"
        )

    def close(self) -> None:
        """Deletes them; agents of the test let go at once."""
        for name in self.names:
            self.cluster.kubectl(
                "delete", "xdpredirect", name, "--wait=false", "--ignore-not-found"
            )

        def gone() -> bool:
            self.answering.reply()
            left = self.cluster.kubectl("get", "xdpredirects", "-o", "name").split()
            return not {f"xdpredirect.xdpredirect.io/{name}" for name in self.names} & set(left)

        self.until(gone, "the objects are gone")


@pytest.fixture
def objects(installed: Cluster, replica: Operator, answering: Answering) -> Iterator[Objects]:
    made = Objects(installed, replica, answering)
    try:
        yield made
    finally:
        made.close()


def test_apply_update_delete(objects: Objects, answering: Answering, installed: Cluster) -> None:
    answering.add("op-a", "op-b", **{ZONE: "1"})
    answering.add("op-c", **{ZONE: "2"})
    objects.apply("edge", {ZONE: "1"})
    objects.until_told("op-a", "edge")
    objects.until_told("op-b", "edge")
    assert answering.told("op-c") == []
    objects.until_condition("edge", "Ready", "Unknown", "Progressing")
    answering.reply()
    objects.wait("edge")
    status = objects.get("edge")["status"]
    assert status["nodes"]["ready"] == status["nodes"]["selected"] == 2
    assert status["traffic"]["redirectedPackets"] == 200

    objects.apply("edge", {ZONE: "1"}, priority=7)
    objects.until(lambda: answering.told("op-a") == [("edge", 2)], "the new generation is told")
    objects.until_condition("edge", "Reconciling", "True", "Progressing")
    answering.reply()
    objects.wait("edge")
    assert objects.get("edge")["status"]["observedGeneration"] == 2

    installed.kubectl("delete", "xdpredirect", "edge", "--wait=false")
    objects.until_told("op-a")
    objects.until_told("op-b")
    answering.reply("op-a")
    assert objects.get("edge")["metadata"]["deletionTimestamp"]
    answering.reply("op-b")
    installed.kubectl("wait", "--for=delete", "xdpredirect/edge", "--timeout=60s")
