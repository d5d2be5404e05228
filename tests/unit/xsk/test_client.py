"""The client before it has a socket; with one, it is in tests/kernel/test_xsk_*.py."""

import platform
from pathlib import Path

import pytest

from xdpredirect.errors import SocketRefused
from xdpredirect.xsk.client import connect


@pytest.mark.parametrize("machine", ["aarch64", "ppc64le", "armv7l", ""])
def test_it_starts_on_no_other_processor(
    machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(SocketRefused, match="see examples/xsk") as refused:
        connect(tmp_path, "eth0")
    assert refused.value.reason == "WrongProcessor"


def test_it_says_where_there_is_no_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    with pytest.raises(FileNotFoundError) as missing:
        connect(tmp_path, "eth0")
    assert missing.value.filename == str(tmp_path / "broker.sock")
