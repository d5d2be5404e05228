"""Both helms make the same of the chart, and a linter finds nothing that is not explained."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.helm import VERSIONS, Helm
from tests.chart.rendered import SETS, agents_of, by_key, is_hook, render
from tests.cluster.binaries.families import path

CONFIG = Path(__file__).with_name("kube-linter.yaml")


@pytest.mark.parametrize("values", SETS.values(), ids=SETS.keys())
def test_helm_3_and_4_render_the_same(values: Path, tmp_path: Path) -> None:
    three, four = (render(Helm(version, tmp_path), values) for version in VERSIONS)
    assert by_key(three) == by_key(four)


def lint(tmp_path: Path, config: Path) -> list[dict[str, str]]:
    """(check, object) of each finding in the files of a directory."""
    argv = [str(path("kube-linter")), "lint", str(tmp_path), "--config", str(config)]
    done = subprocess.run([*argv, "--format", "json"], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    reports = json.loads(done.stdout)["Reports"] or []
    return [
        {
            "check": one["Check"],
            "object": one["Object"]["K8sObject"]["Name"],
            "says": one["Diagnostic"]["Message"],
        }
        for one in reports
    ]


def test_the_linter_finds_nothing_that_is_not_explained(helm4: Helm, tmp_path: Path) -> None:
    for name, values in SETS.items():
        objects = render(helm4, values)
        agents = agents_of(objects)
        text = yaml.safe_dump_all([*objects, agents])
        (tmp_path / f"{name}.yaml").write_text(text)
    assert lint(tmp_path, CONFIG) == []


def test_every_exception_of_the_linter_is_needed(helm4: Helm, tmp_path: Path) -> None:
    objects = render(helm4, SETS["default"])
    (tmp_path / "default.yaml").write_text(yaml.safe_dump_all([*objects, agents_of(objects)]))
    config = tmp_path / "config/kube-linter.yaml"
    config.parent.mkdir()
    config.write_text("{}")
    excluded = set(yaml.safe_load(CONFIG.read_text())["checks"]["exclude"])
    assert {finding["check"] for finding in lint(tmp_path, config)} == excluded


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
