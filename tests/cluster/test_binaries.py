"""What decides where a built program lies, and that nothing but the pinned Go is taken."""

import shutil
import zipfile
from pathlib import Path

import pytest

from tests.cluster.binaries import build, families, toolchain
from tests.cluster.binaries.families import FAMILIES


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the modules, to be changed."""
    copied = tmp_path / "binaries"
    shutil.copytree(families.HERE, copied)
    monkeypatch.setattr(families, "HERE", copied)
    return copied


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module proxy with a Go that is not the one whose hash is pinned, and an empty cache."""
    served = tmp_path / "proxy/golang.org/toolchain/@v"
    served.mkdir(parents=True)
    for name, _ in toolchain.ZIPS.values():
        archive = served / f"v0.0.1-{toolchain.VERSION}.linux-{name}.zip"
        with zipfile.ZipFile(archive, "w") as content:
            content.writestr("golang.org/toolchain/bin/go", "#!/bin/sh\nexit 1\n")
    monkeypatch.setenv(
        "GOPROXY", f"{(tmp_path / 'nowhere').as_uri()},{(tmp_path / 'proxy').as_uri()}"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return served


def test_what_is_there_is_not_built_again_and_nothing_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    used = [family for family in FAMILIES if family.name in ("etcd", "kubernetes", "kwok")]
    build.build_all(used)
    capsys.readouterr()
    assert build.missing(used) == []
    build.build_all(used)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_other_modules_are_another_place(modules: Path, file: str) -> None:
    before = {family.name: family.place for family in FAMILIES}
    with (modules / "kwok" / file).open("a") as changed:
        changed.write("\n")
    after = {family.name: family.place for family in FAMILIES}
    assert {name for name in before if before[name] != after[name]} == {"kwok"}


def test_versions_are_those_of_the_modules(modules: Path) -> None:
    found = {family.name: family.version for family in FAMILIES}
    told = {"etcd": "v3.7.3", "kubernetes": "v1.37.2", "kwok": "v0.8.0", "argocd": "v3.1.16"}
    assert found.items() >= told.items()
    kubernetes = next(family for family in FAMILIES if family.name == "kubernetes")
    assert "version.gitVersion=v1.37.2" in kubernetes.flags[-1]
    assert "version.gitMinor=37" in kubernetes.flags[-1]


def test_a_go_of_another_hash_is_refused(proxy: Path, tmp_path: Path) -> None:
    with pytest.raises(toolchain.ToolchainError, match=r"has SHA-256 [0-9a-f]{64}, not"):
        toolchain.fetch()
    assert list((tmp_path / "cache").rglob("go")) == []


def test_a_go_that_no_proxy_has_says_so(proxy: Path) -> None:
    for file in proxy.iterdir():
        file.unlink()
    with pytest.raises(toolchain.ToolchainError, match="could not be downloaded: file://"):
        toolchain.fetch()


def test_a_program_of_no_family_is_an_error() -> None:
    with pytest.raises(LookupError, match="no family has a program dockerd"):
        families.path("dockerd")
