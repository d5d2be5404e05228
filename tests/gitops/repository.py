"""A Git repository as a directory, for Argo CD to follow. Made by the tests of this folder."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

BRANCH = "main"
# Nothing of whoever runs the tests: neither a name nor hooks nor a signing key.
IDENTITY = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    **{
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Platform Team"), ("EMAIL", "platform@example.com"))
    },
}


class Repository:
    """`url` is what goes into an Application's repoURL."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = directory.as_uri()
        directory.mkdir(parents=True)
        self._git("init", "--quiet", f"--initial-branch={BRANCH}")

    def commit(self, files: Mapping[str, str | None]) -> str:
        """Writes files, removes those that are None, and commits; the commit's id."""
        for name, text in files.items():
            path = self.directory / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return self._record(" ".join(files))

    def begin(self, files: Mapping[str, str | None]) -> str:
        """The same, with nothing else left of what was there."""
        self._git("rm", "-r", "--quiet", "--ignore-unmatch", ".")
        return self.commit(files)

    def commit_tree(self, source: Path, name: str) -> str:
        """Commits a copy of a directory of the project, links followed; the commit's id."""
        shutil.copytree(source, self.directory / name, dirs_exist_ok=True)
        return self._record(name)

    def tag(self, name: str) -> None:
        """Names the last commit."""
        self._git("tag", name)

    def _record(self, message: str) -> str:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self._git("rev-parse", "HEAD")

    def _git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.directory,
            env={**os.environ, **IDENTITY},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()
