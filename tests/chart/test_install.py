"""Installed by helm 3 and 4 on a real API server, upgraded to other values, and uninstalled."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.chart.helm import CHART, Helm
from tests.chart.release import Hook, Release
from tests.chart.rendered import NAMESPACE, RELEASE, SETS, by_key, is_hook, render
from tests.cluster.cluster import Cluster
from tests.cluster.nodes import XDPREDIRECT
from tests.cluster.operator_scene import Scene
from tests.cluster.replies import versions
from tests.cluster.test_operator import ZONE


@pytest.fixture
def release(cluster: Cluster, connected: Helm, tmp_path: Path) -> Iterator[Release]:
    made = Release(cluster, connected, tmp_path)
    yield made
    made.erase()


@pytest.fixture
def scene(release: Release) -> Iterator[Scene]:
    """The operator of an installed release, and a node; its agent's pod finds no kubelet there."""
    release.install()
    made = Scene(release.cluster, "--agents", str(release.agents_file()))
    try:
        made.nodes.add("chart-node", **{ZONE: "1"})
        made.start()
        yield made
    finally:
        release.erase_objects()
        # Not by an operator, and not by the kinds: they may be gone by now.
        release.cluster.kubectl("delete", "node", *made.nodes.names)
        made.nodes.names.clear()
        made._names.clear()
        made.close()


def test_installed_upgraded_and_uninstalled(release: Release, scene: Scene) -> None:
    offline = [one for one in render(release.helm) if not is_hook(one)]
    assert by_key(release.objects()).keys() == by_key(offline).keys()
    release.cluster.kubectl("get", "-f", "-", input=yaml.safe_dump_all(offline))
    with Hook(release, "test") as hook:
        scene.until(lambda: hook.run().returncode == 0, "all is as it should be")
        redirect_and_upgrade(release, scene)
        verified = hook.run("--within", "1")
    assert verified.returncode == 1
    assert "✗ agents: 0 of 1 are ready" in verified.stdout
    assert verified.stdout.count("✓") == 6, verified.stdout
    with Hook(release, "pre-delete") as hook:
        removed = hook.attend(scene)
    assert removed.code == 0, removed.said
    release.install(SETS["crds-elsewhere"])
    assert release.cluster.kubectl("get", "xdpredirects") == ""
    release.uninstall()
    release.until_left([f"customresourcedefinition.apiextensions.k8s.io/{one}" for one in crds()])
    # What was kept is taken up again by a release that does not keep it.
    release.install()
    release.uninstall()
    release.until_left([])
    config = ("--kubeconfig", str(release.cluster.kubeconfig), "--namespace", NAMESPACE)
    argv = [*XDPREDIRECT, "uninstall", *config]
    assert subprocess.run(argv, check=False, timeout=120).returncode == 0, "nothing is there"
    release.until_left([])


def redirect_and_upgrade(release: Release, scene: Scene) -> None:
    """An upgrade touches no object of a user, and does not take his CRDs away."""
    scene.apply("edge", {ZONE: "1"})
    scene.until_told("chart-node", "edge")
    scene.nodes.reply()
    scene.wait("edge")
    before = versions(release.wire)
    off = ("--set", "crds.enabled=false", "--namespace", NAMESPACE)
    done = release.helm.run(["upgrade", RELEASE, str(CHART), *off])
    assert done.returncode != 0
    assert "first upgrade with crds.keep=true" in done.stderr
    release.install(SETS["large"])
    assert release.replicas() == 3
    release.install(SETS["crds-kept"])
    assert release.replicas() == 2
    assert versions(release.wire) == before


def test_a_namespace_that_forbids_agents_is_refused(release: Release) -> None:
    cluster, strict = release.cluster, f"strict-{release.helm.version}"
    cluster.kubectl("create", "namespace", strict)
    level = "pod-security.kubernetes.io/enforce=restricted"
    try:
        cluster.kubectl("label", "namespace", strict, level)
        where = ("--namespace", strict)
        done = release.helm.run(["install", RELEASE, str(CHART), *where])
        assert done.returncode != 0
        assert f"run `kubectl label namespace {strict} pod-security" in done.stderr
    finally:
        cluster.kubectl("delete", "namespace", strict, "--wait=false")


def crds() -> list[str]:
    return [f"{path.stem}.xdpredirect.io" for path in sorted((CHART / "files/crds").iterdir())]
