"""Installed by helm 3 and 4 on a real API server, upgraded to other values, and uninstalled."""

from pathlib import Path

import pytest

from tests.chart.helm import CHART, VERSIONS, Helm
from tests.chart.release import Hook, Release
from tests.chart.rendered import NAMESPACE, RELEASE, SETS, by_key, is_hook, render
from tests.cluster.cluster import Cluster
from tests.cluster.operator_scene import Scene
from tests.cluster.replies import versions
from tests.cluster.test_operator import ZONE


@pytest.fixture
def release(cluster: Cluster, connected: Helm, tmp_path: Path) -> Release:
    return Release(cluster, connected, tmp_path)


def test_installed_upgraded_and_uninstalled(release: Release, connected: Helm) -> None:
    release.install()
    offline = [one for one in render(connected) if not is_hook(one)]
    assert by_key(release.objects()).keys() == by_key(offline).keys()
    for kind, namespace, name in by_key(offline):
        where = ["--namespace", namespace] if namespace else []
        release.cluster.kubectl("get", kind, name, *where)
    scene = Scene(release.cluster, "--agents", str(release.agents_file()))
    try:
        scene.nodes.add("chart-node", **{ZONE: "1"})
        scene.start()
        scene.apply("edge", {ZONE: "1"})
        scene.until_told("chart-node", "edge")
        scene.nodes.reply()
        scene.wait("edge")
        before = versions(release.wire)
        release.install(SETS["large"])
        assert release.replicas() == 3
        release.install(SETS["crds-kept"])
        assert release.replicas() == 2
        assert versions(release.wire) == before, "an upgrade touches no object of a user"
        with Hook(release, "test") as hook:
            verified = hook.run()
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert verified.stdout.count("✓") == 7, verified.stdout
        with Hook(release, "pre-delete") as hook:
            removed = hook.attend(scene)
        assert removed.code == 0, removed.said
        release.uninstall()
        kept = [f"customresourcedefinition.apiextensions.k8s.io/{one}" for one in crds()]
        release.until_left(kept)
    finally:
        scene._names.clear()
        scene.close()
    # What was kept is taken up again by a release that does not keep it.
    release.install()
    release.uninstall()
    release.until_left([])


@pytest.mark.parametrize("version", VERSIONS)
def test_switching_the_crds_off_is_refused_while_that_would_delete_them(
    cluster: Cluster, version: str, tmp_path: Path
) -> None:
    release = Release(cluster, Helm(version, tmp_path, cluster.kubeconfig), tmp_path)
    release.install()
    try:
        off = ("--set", "crds.enabled=false", "--namespace", NAMESPACE)
        done = release.helm.run(["upgrade", RELEASE, str(CHART), *off])
        assert done.returncode != 0
        assert "first upgrade with crds.keep=true" in done.stderr
        release.install(SETS["crds-kept"])
        release.install(SETS["crds-elsewhere"])
        assert cluster.kubectl("get", "xdpredirects") == ""
    finally:
        release.uninstall()
        cluster.kubectl("delete", "crd", "--ignore-not-found", *crds())


def test_a_namespace_that_forbids_agents_is_refused(release: Release) -> None:
    cluster = release.cluster
    cluster.kubectl("create", "namespace", "strict")
    level = "pod-security.kubernetes.io/enforce=restricted"
    try:
        cluster.kubectl("label", "namespace", "strict", level)
        where = ("--namespace", "strict")
        done = release.helm.run(["install", RELEASE, str(CHART), *where])
        assert done.returncode != 0
        assert "run `kubectl label namespace strict pod-security" in done.stderr
    finally:
        cluster.kubectl("delete", "namespace", "strict")


def crds() -> list[str]:
    return [f"{path.stem}.xdpredirect.io" for path in sorted((CHART / "files/crds").iterdir())]
