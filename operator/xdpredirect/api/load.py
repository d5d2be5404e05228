"""Files, directories and standard input to checked objects, or to every problem they have.

Called by the command line and by the agent that watches a directory. Nothing is returned unless
everything is right: a caller that touches the kernel afterwards never acts on half of the input.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from xdpredirect.api.crd import crds
from xdpredirect.api.decode import decode_address_set, decode_redirect
from xdpredirect.api.redirect import XdpAddressSet, XdpRedirect
from xdpredirect.api.validate import Document, Verdict, validate
from xdpredirect.api.wording import label, listed, shown
from xdpredirect.errors import InvalidInput

_SUFFIXES = (".yaml", ".yml", ".json")
# A full address set is 1.4 MB; a file of all sets of a large site stays far below this.
_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What the input holds, in its order. `documents` are the same objects as JSON values with
    defaults filled in and without status, for storage."""

    redirects: tuple[XdpRedirect, ...] = ()
    address_sets: tuple[XdpAddressSet, ...] = ()
    documents: tuple[Document, ...] = ()


def load_text(text: str, source: str) -> Objects:
    """The objects of one text; `source` names it in problems.

    Raises InvalidInput with one line per problem: `source: kind/name: path: sentence`.
    """
    return _load([(source, text)], [])


def load_paths(paths: Sequence[str]) -> Objects:
    """The objects of files, of directories (*.yaml, *.yml and *.json, by name) and of `-`.

    A directory without such files holds no objects, which is no error; a file without any is one.
    Raises InvalidInput with one line per problem of all files.
    """
    texts: list[tuple[str, str]] = []
    problems: list[str] = []
    for path in paths:
        try:
            texts.extend(_read(path))
        except InvalidInput as error:
            problems.extend(error.problems)
    return _load(texts, problems)


def _read(path: str) -> Iterator[tuple[str, str]]:
    """(source, text) of each file that `path` stands for."""
    if path == "-":
        yield "standard input", _decoded(sys.stdin.buffer.read(_LARGEST + 1), "standard input")
        return
    try:
        found = [Path(path)]
        if found[0].is_dir():
            inside = sorted(found[0].iterdir())
            found = [p for p in inside if p.suffix in _SUFFIXES and p.name[0] != "."]
        for each in found:
            with each.open("rb") as file:
                yield str(each), _decoded(file.read(_LARGEST + 1), str(each))
    except OSError as error:
        raise InvalidInput((f"{error.filename or path}: {error.strerror}",)) from None


def _decoded(data: bytes, source: str) -> str:
    if len(data) > _LARGEST:
        raise InvalidInput((f"{source}: is larger than {_LARGEST >> 20} MiB; split it",))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        sentence = f"byte {error.start} is not UTF-8; save the file as UTF-8"
        raise InvalidInput((f"{source}: {sentence}",)) from None


def _load(texts: Sequence[tuple[str, str]], problems: list[str]) -> Objects:
    loaded = _Loaded()
    for source, text in texts:
        try:
            for place, document in _documents(text):
                problems.extend(f"{source}: {line}" for line in loaded.add(source, place, document))
        except InvalidInput as error:
            problems.extend(f"{source}: {line}" for line in error.problems)
    if problems:
        raise InvalidInput(tuple(problems))
    return loaded.objects()


def _documents(text: str) -> Iterator[tuple[str, object]]:
    """(place, document) of each object; lists are taken apart."""
    from xdpredirect.api.documents import parse_documents  # noqa: PLC0415 - yaml only for text

    documents = parse_documents(text)
    if not documents:
        raise InvalidInput((f"holds no object; write an {listed(tuple(crds()), 'or an')}",))
    for number, document in enumerate(documents, 1):
        lists = ("List", *(f"{kind}List" for kind in crds()))
        if not isinstance(document, dict) or document.get("kind") not in lists:
            yield f"document {number}", document
            continue
        items = document.get("items")
        if not isinstance(items, list):
            raise InvalidInput((f"document {number}: items: must be a list, not {shown(items)}",))
        for index, item in enumerate(items):
            yield f"document {number}: items[{index}]", item


class _Loaded:
    """Objects that were added, and where each came from."""

    def __init__(self) -> None:
        self._redirects: list[XdpRedirect] = []
        self._address_sets: list[XdpAddressSet] = []
        self._documents: list[Document] = []
        self._sources: dict[tuple[str, str], str] = {}

    def objects(self) -> Objects:
        return Objects(
            redirects=tuple(self._redirects),
            address_sets=tuple(self._address_sets),
            documents=tuple(self._documents),
        )

    def add(self, source: str, place: str, document: object) -> list[str]:
        """Take in one document. Returns its problems, each after `kind/name: `."""
        if not isinstance(document, dict):
            return [f"{place}: must be an object, not {shown(document)}"]
        kind, name = document.get("kind"), _name(document)
        if isinstance(kind, str) and isinstance(name, str):
            place = f"{label(kind)}/{label(name)}"
        if not isinstance(kind, str) or kind not in crds():
            wanted = listed(tuple(crds()))
            if kind is None:
                return [f"{place}: kind: is missing; write {wanted}"]
            return [f"{place}: kind: must be {wanted}, not {shown(kind)}"]
        verdict = validate(kind, cast("Document", document))
        problems = [*verdict.malformed, *verdict.refused, *self._decode(kind, verdict)]
        if isinstance(name, str):
            if (kind, name) in self._sources:
                first = self._sources[kind, name]
                problems.append(f"metadata.name: is taken by an object in {first}; remove one")
            self._sources[kind, name] = source
        if not problems:
            self._documents.append(verdict.document)
        return [f"{place}: {problem}" for problem in problems]

    def _decode(self, kind: str, verdict: Verdict) -> list[str]:
        """Decode and keep. Returns what the decoder sees and `verdict` does not say yet."""
        try:
            if kind == "XdpRedirect":
                self._redirects.append(decode_redirect(verdict.document))
            else:
                self._address_sets.append(decode_address_set(verdict.document))
        except InvalidInput as error:
            return [line for line in error.problems if not _covered(line, verdict)]
        return []


def _name(document: Document) -> object:
    metadata = document.get("metadata")
    return metadata.get("name") if isinstance(metadata, dict) else None


def _covered(line: str, verdict: Verdict) -> bool:
    """Whether a problem was reported at or below the place of `line`, or is a cause above it.

    A rule of a whole table does not cover it: the decoder says which of the entries is meant.
    """
    place = _place(line)
    if any(place.startswith(_place(other)) for other in verdict.malformed):
        return True
    return any(_place(other).startswith(place) for other in verdict.malformed + verdict.refused)


def _place(line: str) -> str:
    return line.partition(": ")[0]
