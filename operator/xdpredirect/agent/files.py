"""Files that survive a crash at any point, and directories that are read again only where changed.

Called by `agent.store`. A file is replaced by rename after its content reached the disk, so a
reader finds the old content or the new, never a part.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SUFFIXES = (".yaml", ".yml", ".json")


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace the content of `path`. Raises OSError; the old content is there until the new is."""
    temporary = path.with_name(f".{path.name}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.replace(path)
    sync_directory(path.parent)


def remove_file(path: Path) -> bool:
    """Remove `path` for good. Returns whether it was there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    sync_directory(path.parent)
    return True


def sync_directory(directory: Path) -> None:
    """Make renames and removals in `directory` last."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_json(path: Path) -> object:
    """The value in `path`; None when there is no such file, or none that can be read."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def as_json(value: Mapping[str, object]) -> bytes:
    """What such a file holds."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


class Content(NamedTuple):
    """What one file holds: parsed documents, or one line per problem."""

    documents: tuple[dict[str, object], ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    stamp: tuple[int, int, int]
    content: Content


class Directory:
    """The documents of one directory. Files that did not change are not parsed again.

    `parse` makes the content of one file from its path; it must not raise for bad content.
    """

    def __init__(self, path: Path, parse: Callable[[Path], Content]) -> None:
        self.path = path
        self._parse = parse
        self._known: dict[str, _Known] = {}

    def contents(self) -> Iterator[tuple[Path, Content]]:
        """Every file by name. Raises OSError when the directory cannot be read."""
        known: dict[str, _Known] = {}
        for entry in sorted(os.scandir(self.path), key=lambda entry: entry.name):
            if entry.name.startswith(".") or not entry.name.endswith(SUFFIXES):
                continue
            try:
                stat = entry.stat()
            except FileNotFoundError:
                continue  # Removed since it was listed: the same as removed before.
            stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            old = self._known.get(entry.name)
            fresh = old is None or old.stamp != stamp
            known[entry.name] = (
                _Known(stamp, self._parse(Path(entry.path))) if old is None or fresh else old
            )
        self._known = known
        return iter([(self.path / name, item.content) for name, item in known.items()])
