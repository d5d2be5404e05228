"""The page about GitOps tried: its commands run where its files name the repositories of the test.

Called by `conftest.product`, for which it installs the product, and by tests.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.page import LOOKS, PATIENCE_SECONDS, environment, matches
from tests.cluster.waiting import until
from tests.gitops.manifests import DOCS
from tests.kernel.documents import Block, blocks

PAGE = DOCS / "README.md"
INSTALL, USE, REMOVE, FLUX = "argocd, once", "argocd", "argocd, last", "flux"


class Page:
    """`directory` gets a copy of docs/gitops; `urls` are the test's by those of the text."""

    def __init__(self, cluster: Cluster, directory: Path, urls: Mapping[str, str]) -> None:
        self.directory = directory
        copied = shutil.copytree(DOCS, directory / "docs/gitops")
        for file in copied.rglob("*.yaml"):
            text = file.read_text()
            for public, own in urls.items():
                text = text.replace(public, own)
            file.write_text(text)
        self._env = {**os.environ, **environment(cluster, directory)}

    def follow(self, where: str) -> None:
        """Tries all blocks with that direction; AssertionError with what was printed instead."""
        found = [block for block in blocks(PAGE) if block.where == where]
        assert found, where
        for block in found:
            for command, shown in block.commands():
                self._try(block, command, shown)

    def _try(self, block: Block, command: str, shown: list[str]) -> None:
        told = ""

        def as_shown() -> bool:
            nonlocal told
            done = self._run(command)
            told = f"{block}: $ {command}\n{done.stdout}exit {done.returncode}"
            return done.returncode == 0 and matches(shown, done.stdout.splitlines())

        if LOOKS.match(command):
            until(as_shown, "what the page shows", PATIENCE_SECONDS, lambda: told)
        else:
            assert as_shown(), told

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.directory,
            env=self._env,
            # One stream, as on a terminal.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=2 * PATIENCE_SECONDS,
        )


def file_of(name: str) -> str:
    """The text of a file that the page shows."""
    (found,) = (block.text for block in blocks(PAGE) if block.file == name)
    return found
