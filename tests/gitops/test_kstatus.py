"""What Flux judges by: kstatus, in helm 4 `--wait`, which has it from the same library."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.helm import Helm, HelmError
from tests.cluster.binaries.families import path
from tests.cluster.fleet import PLURAL, Fleet
from tests.cluster.waiting import until
from tests.gitops.manifests import edge
from tests.kernel.switch import udp

FRAME = udp(7)
RELEASE = "edge"


@pytest.fixture
def helm(fleet: Fleet, tmp_path: Path) -> Helm:
    """helm 4, speaking to the cluster."""
    return Helm("helm", tmp_path / "home", fleet.cluster.kubeconfig)


def release(directory: Path, to: str) -> Path:
    """A chart that holds one XdpRedirect, as a team's own may."""
    chart = directory / "chart"
    (chart / "templates").mkdir(parents=True, exist_ok=True)
    about = {"apiVersion": "v2", "name": RELEASE, "version": "1.0.0"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    (chart / "templates/edge.yaml").write_text(yaml.safe_dump(edge(to)))
    return chart


def test_helm_waits_for_the_last_node(fleet: Fleet, helm: Helm, tmp_path: Path) -> None:
    a, b = fleet.stations["node-a"], fleet.stations["node-b"]
    chart = release(tmp_path, "p1")
    b.node.agent.freeze(True)
    argv = [str(path("helm")), "install", RELEASE, str(chart), "--wait", "--timeout=2m"]
    with subprocess.Popen(
        argv, env={**os.environ, **helm.environment()}, stdout=subprocess.PIPE
    ) as waiting:
        until(lambda: fleet.wire.names(PLURAL), "helm has sent the object")
        words = "generation 1: 1 of 2 nodes acted on it"
        fleet.until(
            lambda: fleet.condition("edge").get("message") == words, "one node acted on it", "edge"
        )
        a.deliver([FRAME] * 2, p1=2)
        assert waiting.poll() is None, "helm did not wait for node-b"
        b.node.agent.freeze(False)
        assert waiting.wait(120) == 0
    b.deliver([FRAME] * 2, p1=2)

    helm("upgrade", RELEASE, str(release(tmp_path, "p2")), "--wait", "--timeout=2m")
    b.deliver([FRAME] * 2, p2=2)
    helm("uninstall", RELEASE, "--wait", "--timeout=2m")
    a.deliver([FRAME] * 2, stack=2)
    b.deliver([FRAME] * 2, stack=2)


def test_helm_fails_where_a_node_fails(fleet: Fleet, helm: Helm, tmp_path: Path) -> None:
    chart = release(tmp_path, "p9")
    words = "status: Failed, message: 2 of 2 nodes; node-a: No interface of this machine is p9"
    with pytest.raises(HelmError, match=words):
        helm("install", RELEASE, str(chart), "--wait", "--timeout=2m")
    assert fleet.condition("edge", "Stalled")["status"] == "True"
    helm("uninstall", RELEASE, "--wait")
    until(lambda: not fleet.wire.names(PLURAL), "the object is gone")
