"""docs/image.md: its commands are run, on the images of this checkout."""

import os
import subprocess
from pathlib import Path

from tests.cluster.page import matches
from tests.image.build import ROOT, Images
from tests.kernel.documents import blocks

PAGE = ROOT / "docs" / "image.md"
LIMIT_SECONDS = 300.0


def test_commands_do_what_the_text_shows(built: Images, tmp_path: Path) -> None:
    tried = [block for block in blocks(PAGE) if block.where == "image"]
    assert len(tried) > 3
    archives = tmp_path / "build" / "images"
    archives.mkdir(parents=True)
    for archive in (built.operator, built.agent):
        (archives / archive.name).symlink_to(archive)
    for block in tried:
        for command, shown in block.commands():
            # What `make image` makes is there, under the names that it has in the checkout.
            directory = ROOT if command.startswith("make ") else tmp_path
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=directory,
                env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MAKEFLAGS": ""},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=LIMIT_SECONDS,
            )
            words = f"{block}: $ {command}\n{done.stdout}"
            assert done.returncode == 0, words
            assert matches(shown, done.stdout.splitlines()), words


def test_the_page_says_where_each_of_its_commands_is_run() -> None:
    assert all(block.where or block.not_run for block in blocks(PAGE))
