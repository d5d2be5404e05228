"""Fixtures of the tests of sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.xsk.plugin import GRANT, Maps
from xdpredirect.xsk.plugin_server import PluginServer


@pytest.fixture
def maps(tmp_path: Path) -> Maps:
    return Maps(tmp_path / "map")


@pytest.fixture
def server(tmp_path: Path, maps: Maps) -> Iterator[PluginServer]:
    made = PluginServer(tmp_path, maps, [GRANT], lambda: None)
    yield made
    assert made.is_alive()
    made.close()
