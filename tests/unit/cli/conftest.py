"""A host of its own for each test of the commands."""

from pathlib import Path

import pytest

from tests.unit.cli.machines import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)
