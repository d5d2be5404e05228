"""The health scripts in the Lua of Argo CD itself, on statuses that real nodes had."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.binaries.families import path
from tests.gitops.manifests import customizations
from tests.gitops.manifests import health as health_patch

KINDS = sorted(file.parent for file in customizations().glob("*/*/health.lua"))


def cases() -> Iterator[tuple[Path, dict[str, str]]]:
    """(object, health), as the repository of Argo CD lists them."""
    for kind in KINDS:
        for case in yaml.safe_load((kind / "health_test.yaml").read_text())["tests"]:
            yield kind / case["inputPath"], case["healthStatus"]


def patch() -> dict[str, Any]:
    return dict(yaml.safe_load(health_patch().read_text()))


@pytest.mark.parametrize(
    ("file", "health"),
    [pytest.param(*case, id=f"{case[0].parents[1].name}-{case[0].stem}") for case in cases()],
)
def test_health_is_what_the_test_file_says(file: Path, health: dict[str, str]) -> None:
    script = file.parents[1] / "health.lua"
    done = subprocess.run(
        [str(path("argocd")), str(script), str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == health


def test_every_object_is_a_case_and_every_health_occurs() -> None:
    listed = {file for file, _ in cases()}
    assert {file for kind in KINDS for file in (kind / "testdata").iterdir()} == listed
    for kind in KINDS:
        found = {health["status"] for file, health in cases() if kind in file.parents}
        assert found >= {"Healthy", "Progressing", "Degraded"}, kind


def test_the_patch_of_the_documentation_holds_the_same_scripts() -> None:
    scripts = {
        f"resource.customizations.health.{kind.parent.name}_{kind.name}": (
            kind / "health.lua"
        ).read_text()
        for kind in KINDS
    }
    assert patch() == {"data": scripts}
