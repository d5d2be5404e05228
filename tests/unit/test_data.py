"""The files that are not Python are found, in a checkout as in a wheel."""

from pathlib import Path

import pytest

import xdpredirect
from xdpredirect.data import data_dir

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["crds", "bpf"])
def test_checkout(name: str) -> None:
    assert data_dir(name) == ROOT / name


def test_packaged_files_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = tmp_path / "_data" / "crds"
    packaged.mkdir(parents=True)
    (tmp_path / "__init__.py").write_text("")
    monkeypatch.setattr("importlib.resources.files", lambda _package: tmp_path)
    assert xdpredirect.__file__ is not None
    assert data_dir("crds") == packaged


def test_missing_files_are_named() -> None:
    with pytest.raises(FileNotFoundError, match="no charts-of-another-day directory at"):
        data_dir("charts-of-another-day")
