"""The files for Flux against the schemas of Flux, as an API server with its CRDs judges them."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.binaries import toolchain
from tests.cluster.binaries.families import ENVIRONMENT, HERE, path
from tests.cluster.cluster import Cluster, KubectlError
from tests.gitops.manifests import DOCS
from tests.gitops.page import FLUX, Page

FILES = sorted((DOCS / "flux").glob("*.yaml"))
TYPES = ("helm-controller/api/v2", "kustomize-controller/api/v1", "source-controller/api/v1")
NAMESPACE = "flux-system"


@pytest.fixture(scope="module")
def flux(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The cluster with the kinds of Flux, made from its types; nobody acts on them."""
    directory = tmp_path_factory.mktemp("flux")
    make_kinds(directory)
    cluster.kubectl("apply", "--server-side", "-f", str(directory))
    crds = [yaml.safe_load(file.read_text()) for file in directory.glob("*.yaml")]
    cluster.await_kinds(*(crd["metadata"]["name"] for crd in crds))
    cluster.kubectl("create", "namespace", NAMESPACE)
    return cluster


def make_kinds(directory: Path) -> None:
    """Writes the CRDs of Flux, with the program by which Flux makes them."""
    go = toolchain.find()
    assert go is not None, "no Go; run `make cluster-binaries`"
    words = [f"paths=github.com/fluxcd/{types}" for types in TYPES]
    done = subprocess.run(
        [str(path("controller-gen")), "crd", *words, f"output:crd:dir={directory}"],
        cwd=HERE / "flux",
        env={**os.environ, **ENVIRONMENT, "PATH": f"{go.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def judge(cluster: Cluster, file: Path) -> str:
    """What the server says to a file, which changes nothing; KubectlError when it refuses it."""
    return cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(file))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_flux_takes_the_file(flux: Cluster, file: Path) -> None:
    assert judge(flux, file).count("(server dry run)") == len(documents(file))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_field_that_flux_does_not_know_is_refused(
    flux: Cluster, file: Path, tmp_path: Path
) -> None:
    *others, last = documents(file)
    changed = tmp_path / file.name
    changed.write_text(yaml.safe_dump_all([*others, {**last, "spec": {**last["spec"], "x": 1}}]))
    with pytest.raises(KubectlError, match=r'unknown field "spec\.x"'):
        judge(flux, changed)


def test_the_commands_of_the_page(flux: Cluster, tmp_path: Path) -> None:
    Page(flux, tmp_path, {}).follow(FLUX)
    made = ("kustomizations.kustomize", "helmreleases.helm", "gitrepositories.source")
    kinds = ",".join(f"{kind}.toolkit.fluxcd.io" for kind in made)
    flux.kubectl("delete", kinds, "--all", "-n", NAMESPACE)


def test_every_source_is_one_of_the_files() -> None:
    objects = [one for file in FILES for one in documents(file)]
    there = {(one["kind"], one["metadata"]["name"]) for one in objects}
    asked = {
        (source["kind"], source["name"])
        for one in objects
        for source in (
            one.get("spec", {}).get("sourceRef"),
            one.get("spec", {}).get("chart", {}).get("spec", {}).get("sourceRef"),
        )
        if source
    }
    assert len(asked) == 2
    assert asked <= there


def documents(file: Path) -> list[dict[str, Any]]:
    return [dict(one) for one in yaml.safe_load_all(file.read_text())]
