"""The repository's promises: nothing shadows the standard library, locks lock, CI skips nothing."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts.check_length import FILE_LINES, FUNCTION_LINES, offences

ROOT = Path(__file__).parents[2]


def canonical(name: str) -> str:
    """A package name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("flags", [[], ["-S"], ["-I"]])
def test_operator_is_the_standard_library(flags: list[str]) -> None:
    script = "import collections, operator; print(operator.__file__)"
    done = subprocess.run(
        [sys.executable, *flags, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not (ROOT / "operator/__init__.py").exists()
    assert not Path(done.stdout).is_relative_to(ROOT)


@pytest.mark.parametrize(
    ("lock", "extras"), [("requirements.lock", ()), ("requirements-dev.lock", ("dev",))]
)
def test_every_requirement_is_locked_with_hashes(lock: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    names = {canonical(re.split(r"[<>=]", item)[0]) for item in wanted}
    entries = re.findall(r"^([a-zA-Z0-9._-]+)==.*\n((?: +--hash=sha256:.*\n)*)", _read(lock), re.M)
    assert names <= {canonical(name) for name, hashes in entries if hashes}
    assert all(hashes for _, hashes in entries)


def test_development_tests_what_runs() -> None:
    """A package has the same version in both locks."""
    runtime, development = (
        set(re.findall(r"^(\S+==\S+)", _read(lock), re.M))
        for lock in ("requirements.lock", "requirements-dev.lock")
    )
    assert runtime <= development


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("import pytest\ndef test(): pytest.skip('no card')\n", "1 failed"),
        ("import pytest\npytest.skip('no card', allow_module_level=True)\n", "1 error"),
        ("import pytest\n@pytest.mark.xfail\ndef test(): assert 0\n", "1 xfailed"),
    ],
    ids=["test", "file", "expected failure"],
)
def test_skips_fail_in_ci(tmp_path: Path, body: str, outcome: str) -> None:
    (tmp_path / "test_it.py").write_text(body)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            "-q",
            f"--rootdir={tmp_path}",
            "-c",
            os.devnull,
            str(tmp_path),
        ],
        cwd=ROOT,
        env={**os.environ, "CI": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1].startswith(outcome)
    assert ("skipped in CI: " in done.stdout and "no card" in done.stdout) == ("skip(" in body)


def test_long_files_and_functions_are_named(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("def short():\n" + "    x = 1\n" * (FUNCTION_LINES - 1))
    assert list(offences(path)) == []
    path.write_text("def long():\n" + "    x = 1\n" * FILE_LINES)
    assert list(offences(path)) == [
        f"{path}: {FILE_LINES + 1} lines, more than {FILE_LINES}",
        f"{path}:1: long has {FILE_LINES + 1} lines, more than {FUNCTION_LINES}",
    ]


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("agent/plan.py", "import subprocess", "Planners and parsers are pure"),
        ("datapath/layout.py", "import time", "Planners and parsers are pure"),
        ("kernel/bpf.py", "import bcc", "Only the compile child knows bcc"),
        ("agent/act.py", "import rich.table", "Only commands know click and rich"),
        ("api/decode.py", "import cel", "Only the schema check knows CEL and JSON Schema"),
    ],
)
def test_layers_are_held(tmp_path: Path, module: str, line: str, contract: str) -> None:
    """Each contract breaks when a module of its layer imports what it must not."""
    package = tmp_path / "xdpredirect"
    for source in (ROOT / "operator/xdpredirect").rglob("*.py"):
        copy = package / source.relative_to(ROOT / "operator/xdpredirect")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(source.read_text())
    with (package / module).open("a") as file:
        file.write(f"{line}\n")
    done = subprocess.run(
        [
            Path(sys.executable).parent / "lint-imports",
            "--no-cache",
            "--config",
            ROOT / "pyproject.toml",
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{contract} BROKEN" in done.stdout, done.stdout


def _read(name: str) -> str:
    return (ROOT / name).read_text()
