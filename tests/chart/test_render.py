"""Both helms make the same of the chart, and a linter finds nothing that is not explained."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.helm import VERSIONS, Helm
from tests.chart.rendered import SETS, agents_of, by_key, is_hook, render
from tests.cluster.binaries.families import path

OPERATOR, AGENT = "xdp-redirect-operator", "xdp-redirect-agent"
EXPLAINED = {
    (OPERATOR, "no-anti-affinity"): "topologySpreadConstraints spread the replicas over nodes",
    (AGENT, "host-network"): "the interfaces whose frames it redirects are the host's",
    (
        AGENT,
        "run-as-non-root",
    ): "bpffs and tracefs are root's; it has three capabilities and no more",
    (AGENT, "host-pid"): "with agent.sockets: who asks for a socket is known by its process",
    (AGENT, "drop-net-raw-capability"): "with agent.sockets: AF_XDP sockets need it",
}


@pytest.mark.parametrize("values", SETS.values(), ids=SETS.keys())
def test_helm_3_and_4_render_the_same(values: Path, tmp_path: Path) -> None:
    three, four = (render(Helm(version, tmp_path), values) for version in VERSIONS)
    assert by_key(three) == by_key(four)


def findings(file: Path) -> set[tuple[str, str]]:
    """(object, check) of each finding in a file of objects."""
    config = file.parent / "kube-linter.yml"
    config.write_text("{}")
    argv = [str(path("kube-linter")), "lint", str(file), "--config", str(config)]
    done = subprocess.run([*argv, "--format", "json"], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    reports = json.loads(done.stdout)["Reports"] or []
    return {(one["Object"]["K8sObject"]["Name"], one["Check"]) for one in reports}


def test_the_linter_finds_what_is_explained_and_nothing_else(helm4: Helm, tmp_path: Path) -> None:
    found = set()
    for name, values in SETS.items():
        objects = render(helm4, values)
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump_all([*objects, agents_of(objects)]))
        found |= findings(file)
    assert found == EXPLAINED.keys()


def test_objects_of_hooks_are_named_apart(helm4: Helm) -> None:
    names = {one["metadata"]["name"] for one in render(helm4) if is_hook(one)}
    others = {one["metadata"]["name"] for one in render(helm4) if not is_hook(one)}
    assert names == {
        *("xdp-redirect-uninstall", "xdp-redirect-uninstall-events", "xdp-redirect-verify"),
    }
    assert not names & others


def test_a_release_may_have_any_name_and_namespace(helm4: Helm) -> None:
    given = ("--namespace", "network")
    for document in render(helm4, None, *given):
        metadata = document["metadata"]
        assert metadata.get("namespace", "network") in ("network", "default")
        for subject in document.get("subjects", []):
            assert subject["namespace"] == "network"
