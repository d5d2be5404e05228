"""What is inside the images, and what is not."""

import json
import os
import re
import stat
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.image.archive import Archive
from tests.image.build import ROOT
from tests.image.conftest import Unpacked
from xdpredirect import __version__

Get = Callable[[str], Unpacked]
NAMES = ("operator", "agent")
SBOM = "usr/share/doc/xdp-redirect/sbom.spdx.json"
# Unpacked, in MB of 1,000,000 octets.
BUDGETS = {"operator": 130, "agent": 400}
LOCKS = {"operator": "requirements-operator.lock", "agent": "requirements.lock"}
BUILD_TOOLS = ("apt", "apt-get", "dpkg", "pip", "perl", "gcc", "cc", "clang", "ld", "hatchling")
UNCHECKED_HASH = 1
# As scripts/image/locked.sh has them: what the command line of the CEL library needs.
UNUSED = {
    *("typer", "annotated-doc", "annotated-types", "pydantic", "pydantic-core", "shellingham"),
    *("typing-inspection", "prompt-toolkit", "wcwidth", "pygments", "markdown-it-py", "mdurl"),
}
IMPORT_ALL = """
import importlib, pkgutil, xdpredirect
names = [m.name for m in pkgutil.walk_packages(xdpredirect.__path__, "xdpredirect.")]
names = [n for n in names if not n.endswith(("__main__", "_child")) and "{left_out}" not in n]
for name in names:
    importlib.import_module(name)
print(len(names))
"""

both = pytest.mark.parametrize("name", NAMES)


def files(root: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(root):
        yield from (Path(directory, name) for name in names)


@both
def test_it_is_no_larger_than_its_budget(unpacked: Get, name: str) -> None:
    found = {
        (entry.stat().st_ino, entry.stat().st_size)
        for entry in files(unpacked(name).root)
        if not entry.is_symlink()
    }
    assert sum(size for _, size in found) <= BUDGETS[name] * 1_000_000


@both
def test_no_layer_hides_what_another_holds(unpacked: Get, name: str) -> None:
    """So an image weighs what is seen in it, and a new version is its last layer alone."""
    seen: dict[str, int] = {}
    for layer, entry in unpacked(name).archive.entries():
        assert not Path(entry.name).name.startswith(".wh."), entry.name
        if not entry.isdir():
            assert seen.setdefault(entry.name, layer) == layer, entry.name


@both
def test_labels_and_user(unpacked: Get, name: str) -> None:
    archive: Archive = unpacked(name).archive
    label = {
        k.removeprefix("org.opencontainers.image."): v for k, v in archive.config["Labels"].items()
    }
    assert label["version"] == __version__
    assert label["title"] == f"xdp-redirect-{name}"
    assert re.fullmatch(r"[0-9a-f]{40}(-changed)?|unknown", label["revision"])
    assert label["created"] == archive.document["created"]
    assert all(label[key] for key in ("description", "licenses", "base.name", "source"))
    assert archive.config["User"] == {"operator": "65532:65532", "agent": "0:0"}[name]
    assert archive.config["Entrypoint"] == ["xdpredirect"]


@both
def test_neither_package_manager_nor_compiler_driver(unpacked: Get, name: str) -> None:
    root = unpacked(name).root
    found = [path for path in files(root) if path.name in BUILD_TOOLS and os.access(path, os.X_OK)]
    assert not found
    assert not list(root.rglob("site-packages/pip"))


def test_the_operator_has_no_compiler_and_no_bpf(unpacked: Get) -> None:
    root = unpacked("operator").root
    words = re.compile(r"llvm|clang|bcc|bpf", re.IGNORECASE)
    found = [path for path in files(root) if words.search(path.name) and path.suffix != ".py"]
    # Of the agent's code the Python is there, and its licence.
    assert {path.parent.name for path in found} <= {"__pycache__"}
    (ours,) = root.glob("opt/xdpredirect/lib/python3*/site-packages/xdpredirect")
    assert not list(ours.rglob("*.[ch]"))


@both
def test_nothing_is_setuid_and_nothing_is_for_everybody_to_write(unpacked: Get, name: str) -> None:
    root = unpacked(name).root
    for path in root.rglob("*"):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode):
            assert not mode & (stat.S_ISUID | stat.S_ISGID), path
            assert not mode & stat.S_IWOTH or mode & stat.S_ISVTX, path


@both
def test_python_never_compiles_at_its_start(unpacked: Get, name: str) -> None:
    """All files of an image have one time, and the root is read-only: a compilation that Python
    holds against the time of its source would be made again at every start."""
    root = unpacked(name).root
    sources = [path for path in root.rglob("*.py") if "lib/python3" in str(path)]
    assert len(sources) > 500
    for source in sources:
        (compiled,) = (source.parent / "__pycache__").glob(f"{source.stem}.cpython-3??.pyc")
        (flags,) = struct.unpack_from("<I", compiled.read_bytes(), 4)
        assert flags == UNCHECKED_HASH, compiled


@both
def test_every_library_that_is_asked_for_is_there(unpacked: Get, name: str) -> None:
    root = unpacked(name).root
    shared = [
        f"/{path.relative_to(root)}"
        for path in files(root)
        if ".so" in path.name and not path.is_symlink()
    ]
    (loader,) = root.glob("usr/lib/*/ld-linux*.so.?")
    argv = ["chroot", str(root), f"/{loader.relative_to(root)}", "--list"]
    for path in shared:
        done = subprocess.run([*argv, path], capture_output=True, text=True, check=False)
        assert "not found" not in done.stdout, f"{path}:\n{done.stdout}"


@pytest.fixture
def sbom(unpacked: Get, name: str) -> Any:
    return json.loads((unpacked(name).root / SBOM).read_text())


@both
def test_the_list_of_contents_is_spdx(sbom: Any, name: str) -> None:
    assert sbom["spdxVersion"] == "SPDX-2.3"
    assert sbom["dataLicense"] == "CC0-1.0"
    assert sbom["creationInfo"]["created"].endswith("Z")
    ids = [package["SPDXID"] for package in sbom["packages"]]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", one) for one in ids)
    required = {"SPDXID", "name", "downloadLocation"}
    assert all(required <= package.keys() for package in sbom["packages"])
    related = {line["relatedSpdxElement"] for line in sbom["relationships"]}
    assert related == set(ids)


@both
def test_the_list_of_contents_is_whole(unpacked: Get, sbom: Any, name: str) -> None:
    root = unpacked(name).root
    listed = {
        reference["referenceLocator"].partition("?")[0]
        for package in sbom["packages"]
        for reference in package.get("externalRefs", ())
    }
    status = (root / "var/lib/dpkg/status").read_text()
    installed = status.count("Status: install ok installed")
    assert len([one for one in listed if one.startswith("pkg:deb/")]) == installed > 20
    metadata = list(root.rglob("*.dist-info"))
    assert len([one for one in listed if one.startswith("pkg:pypi/")]) == len(metadata) > 10
    assert f"pkg:pypi/xdp-redirect-operator@{__version__}" in listed
    for package, version in locked(name):
        assert (package in UNUSED) != (f"pkg:pypi/{package}@{version}" in listed), package


def locked(name: str) -> list[tuple[str, str]]:
    lines = (ROOT / LOCKS[name]).read_text()
    return re.findall(r"^([\w-]+)==([\w.]+) \\$", lines, re.MULTILINE)


@both
def test_all_of_ours_is_imported_without_what_is_left_out(unpacked: Get, name: str) -> None:
    root = unpacked(name).root
    assert not UNUSED - {package for package, _ in locked(name)}
    # Only the operator has kopf. The child is no module: it runs and ends.
    left_out = "controller" if name == "agent" else "compile_child"
    program = IMPORT_ALL.format(left_out=left_out)
    argv = ["chroot", str(root), "/opt/xdpredirect/bin/python", "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


def test_bcc_is_there_for_the_compiler_child(unpacked: Get) -> None:
    argv = ["chroot", str(unpacked("agent").root), "/usr/bin/python3", "-I", "-c"]
    program = "import bcc, sys; print(bcc.__version__, sys.version_info[:2])"
    done = subprocess.run([*argv, program], capture_output=True, text=True, check=False)
    assert done.stdout == "0.31.0 (3, 13)\n", done.stderr
