"""A docker-archive as a test reads it: configuration, digests of layers, unpacked root.

Called by tests of what is inside, and by `container`.
"""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


class Archive:
    """`path` is the file; `config` the configuration of the image, as OCI names its fields."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with tarfile.open(path) as archive:
            (self._manifest,) = json.loads(_content(archive, "manifest.json"))
            self.document: dict[str, Any] = json.loads(_content(archive, self._manifest["Config"]))

    @property
    def config(self) -> dict[str, Any]:
        """User, Env, Entrypoint, Cmd, Labels."""
        found: dict[str, Any] = self.document["config"]
        return found

    @property
    def layers(self) -> list[str]:
        """The digest of each layer, unpacked, the lowest first."""
        found: list[str] = self.document["rootfs"]["diff_ids"]
        return found

    def entries(self) -> Iterator[tuple[int, tarfile.TarInfo]]:
        """What each layer holds: (number of the layer, entry), in order."""
        for number, opened in self._opened():
            yield from ((number, entry) for entry in opened)

    def contents(self) -> Iterator[tuple[int, tuple[tarfile.TarInfo, bytes]]]:
        """The same with what is in each file; empty for what is none."""
        for number, opened in self._opened():
            for entry in opened:
                file = opened.extractfile(entry) if entry.isreg() else None
                yield number, (entry, file.read() if file else b"")

    def _opened(self) -> Iterator[tuple[int, tarfile.TarFile]]:
        for number, layer in enumerate(self._files()):
            with tarfile.open(fileobj=layer, mode="r|") as opened:
                yield number, opened

    def unpack(self, root: Path) -> None:
        """All layers, one over the other; `root` is made."""
        root.mkdir(parents=True)
        for layer in self._files():
            # Owners, modes and hard links as they are; Python's own differs between its versions.
            argv = [
                "tar",
                "--extract",
                "--numeric-owner",
                "--same-permissions",
                f"--directory={root}",
            ]
            with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
                assert process.stdin is not None
                shutil.copyfileobj(layer, process.stdin, 1 << 20)
            assert process.returncode == 0

    def _files(self) -> Iterator[IO[bytes]]:
        with tarfile.open(self.path) as archive:
            for name in self._manifest["Layers"]:
                file = archive.extractfile(name)
                assert file is not None
                yield file


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()
