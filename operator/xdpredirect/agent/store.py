"""The objects of one machine, under its state directory.

    objects/<kind>.<name>.json   what is wanted, as `xdpredirect apply` left it
    node/<kind>.<name>.json      what is wanted, as the API server sent it
    node-pods.json               which pods may take sockets, as it sent them (agent.pods_file)
    applied/<kind>.<name>.json   what the datapath runs, written after it does
    status.json                  what the last pass found, about which generations, from where

Called by the agent's loop and by the commands. JSON, because a set of 50,000 networks reads in
30 ms that way and in 750 ms as YAML. Several processes may read; writers of objects/ take turns.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

from xdpredirect.agent.decoded import Decoder
from xdpredirect.agent.files import (
    Content,
    Directory,
    as_json,
    read_json,
    remove_file,
    write_atomically,
)
from xdpredirect.agent.parse_file import parse_checked, parse_stored
from xdpredirect.agent.pods_file import read_pods
from xdpredirect.agent.report import Report
from xdpredirect.agent.socket_pods import Pods
from xdpredirect.agent.status import snapshot
from xdpredirect.api.load import Objects

Document = dict[str, object]


class Key(NamedTuple):
    """An object's identity: kind as in the file, and name."""

    kind: str
    name: str

    def __str__(self) -> str:
        """As commands write it: `xdpredirect/edge`."""
        return f"{self.kind.lower()}/{self.name}"


class Change(NamedTuple):
    """What `put` did with one document; `verb` is created, configured or unchanged."""

    key: Key
    generation: int
    verb: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The wanted objects, those that the datapath runs as far as it was recorded, and one line per
    problem of the files they were read from. `pods` may take sockets; None without a cluster."""

    objects: Objects
    applied: Objects = field(default_factory=Objects)
    problems: tuple[str, ...] = ()
    pods: Pods | None = None


class Store:
    """State directory `state_dir`, following the directory `files` (default: its own objects/;
    its own node/ is the other one that it writes itself).

    Files of its own are trusted as far as decoding goes: `put` is only given validated documents.
    Files of another directory are validated in full, by a short-lived child.
    """

    def __init__(self, state_dir: Path, files: Path | None = None) -> None:
        self.objects_dir = state_dir / "objects"
        self.applied_dir = state_dir / "applied"
        self.status_path = state_dir / "status.json"
        self._lock_path = state_dir / "objects.lock"
        self._of_node = state_dir if files == node_dir(state_dir) else None
        own = node_dir(state_dir) if self._of_node else self.objects_dir
        self._owned = files is None or files == own
        self._objects = Directory(own, parse_stored)
        self._applied = Directory(self.applied_dir, parse_stored)
        self._wanted = self._objects if self._owned else Directory(cast(Path, files), parse_checked)
        self._decoder = Decoder()

    def read_all(self) -> Wanted:
        """What is wanted now.

        Of a directory that cannot be read, or holds a broken file, every object that was applied
        and is missing is kept as applied: a typing error must not detach anything.
        """
        found, problems = _collect(self._wanted, missing_is_empty=self._owned)
        applied, damaged = _collect(self._applied, missing_is_empty=True)
        if problems:
            found = {**applied, **found}
        if not self._owned:
            found = {key: _generation(new, applied.get(key)) for key, new in found.items()}
        objects, kept = self._decoder.objects(found.values(), applied.values())
        pods = read_pods(self._of_node) if self._of_node else None
        return Wanted(objects=objects, applied=kept, problems=(*problems, *damaged), pods=pods)

    def applied(self) -> Objects:
        """What the datapath runs, as far as it was recorded."""
        return self.read_all().applied

    def put(self, documents: Iterable[Document]) -> tuple[Change, ...]:
        """Keep validated documents; the generation counts up where the spec changed.

        Address sets are written before the objects that use them. Raises OSError.
        """
        ordered = sorted(documents, key=lambda item: (item["kind"] == "XdpRedirect", key_of(item)))
        changes = []
        with self._writing():
            for document in ordered:
                path = path_of(self.objects_dir, key_of(document))
                old = read_json(path)
                before = cast(Document, old) if isinstance(old, dict) else None
                new = _generation(document, before)
                verb = "unchanged" if new == before else "configured" if before else "created"
                if new != before:
                    write_atomically(path, as_json(new))
                changes.append(Change(key_of(document), generation_of(new), verb))
        return tuple(changes)

    def remove(self, keys: Iterable[Key]) -> tuple[Key, ...]:
        """Forget wanted objects, redirects before the sets they use. Returns those that existed."""
        with self._writing():
            ordered = sorted(keys, key=lambda key: (key.kind != "XdpRedirect", key))
            return tuple(key for key in ordered if remove_file(path_of(self.objects_dir, key)))

    def mark_applied(self, documents: Iterable[Mapping[str, object]]) -> None:
        """Record what the datapath runs from now on; unchanged files are not written."""
        self.applied_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        for document in documents:
            path = path_of(self.applied_dir, key_of(document))
            if read_json(path) != document:
                write_atomically(path, as_json(document))

    def forget_applied(self, keys: Iterable[Key]) -> None:
        """Record that nothing of these objects is left in the datapath."""
        for key in keys:
            remove_file(path_of(self.applied_dir, key))

    def record(self, report: Report, documents: Iterable[Document], now: str) -> None:
        """Replace status.json after a pass over `documents`; `now` is RFC 3339.

        Readable by everybody, since it holds no secret. Raises OSError.
        """
        self.status_path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        seen = {str(key_of(document)): generation_of(document) for document in documents}
        content = {
            "files": str(self._wanted.path),
            "generations": seen,
            **snapshot(report, self.read_status(), now),
        }
        write_atomically(self.status_path, as_json(content), mode=0o644)

    def read_status(self) -> dict[str, object]:
        """The last snapshot; empty when there is none."""
        found = read_json(self.status_path)
        return cast(dict[str, object], found) if isinstance(found, dict) else {}

    def other_source(self) -> Path | None:
        """The directory that the last pass followed, when it is not objects/ and something of it
        is still applied. Whoever converges to objects/ then would detach all of that."""
        last = self.read_status().get("files", "")
        if not last or last == str(self.objects_dir) or not self.applied().documents:
            return None
        return Path(str(last))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer of objects/ at a time; two `apply` beside an agent would lose a generation."""
        self.objects_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
        fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def node_dir(state_dir: Path) -> Path:
    """Where the objects are that the API server wants on this node."""
    return state_dir / "node"


def key_of(document: Mapping[str, object]) -> Key:
    """The identity of a validated document."""
    metadata = cast(Mapping[str, object], document["metadata"])
    return Key(str(document["kind"]), str(metadata["name"]))


def generation_of(document: Mapping[str, object]) -> int:
    """metadata.generation, 0 where there is none."""
    metadata = cast(Mapping[str, object], document["metadata"])
    return cast(int, metadata.get("generation", 0))


def _generation(new: Document, old: Document | None) -> Document:
    """`new` with the generation that follows from `old`; a given one means another machine's."""
    number = 1
    if old is not None:
        number = generation_of(old) + (new.get("spec") != old.get("spec"))
    metadata = {**cast(Document, new["metadata"]), "generation": number}
    return {**new, "metadata": metadata}


def _collect(directory: Directory, missing_is_empty: bool) -> tuple[dict[Key, Document], list[str]]:
    """Documents by key, and the problems of the files. Of two with one key the first counts."""
    found: dict[Key, Document] = {}
    origin: dict[Key, Path] = {}
    problems: list[str] = []
    try:
        contents: Iterable[tuple[Path, Content]] = directory.contents()
    except OSError as error:
        if missing_is_empty and isinstance(error, FileNotFoundError):
            return {}, []
        return {}, [f"{directory.path}: {error.strerror}; what was applied stays"]
    for path, content in contents:
        problems.extend(content.problems)
        for document in content.documents:
            key = key_of(document)
            if key in found:
                problems.append(f"{path}: {key} is also in {origin[key]}; remove one of them")
                continue
            found[key], origin[key] = document, path
    return found, problems


def path_of(directory: Path, key: Key) -> Path:
    """The file of an object in a directory of ours."""
    return directory / f"{key.kind.lower()}.{key.name}.json"
