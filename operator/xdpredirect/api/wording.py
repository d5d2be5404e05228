"""The words of a problem line: how values and unknown fields are named to the user.

Called by fields and schema, so that a problem reads the same whichever of the two found it.
"""

import difflib
import json
from collections.abc import Iterable, Sequence

_LONGEST = 60


def shown(value: object) -> str:
    """`value` on one line as the user would write it (JSON), cut to about 60 characters."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    text = printable(text[: _LONGEST + 1])
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def printable(text: str) -> str:
    """`text` with everything escaped that could end a line or hide on a terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def label(word: str) -> str:
    """A name as a problem line carries it: as it is, or quoted and cut where it is strange."""
    return word if word.isprintable() and len(word) <= 253 else shown(word)


def listed(words: Sequence[str], last: str = "or") -> str:
    """`A, B or C`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def unknown_field(name: object, known: Iterable[str]) -> str:
    """The sentence for a field that does not exist: the nearest known one, or all of them."""
    names = tuple(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.75)
    if near:
        return f"unknown field; write {near[0]}, or remove it"
    if not names:
        return "unknown field; remove it"
    return f"unknown field; remove it, or write one of {', '.join(names)}"


def field_path(path: str, name: object) -> str:
    """`path` extended by a field; a name that is no plain word stands in brackets."""
    if isinstance(name, str) and name.isascii() and name.replace("-", "_").isidentifier():
        return f"{path}.{name}" if path else name
    return f"{path}[{shown(name)}]"
