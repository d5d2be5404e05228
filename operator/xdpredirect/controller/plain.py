"""Reading documents whose writers may be of another version: what does not fit counts as absent.

Pure; called by the `read_*` modules. The API server has held every document against its schema;
this only keeps the process alive when a schema is newer than it. Documents are what a JSON decoder
makes, so mappings are dictionaries: asking for the abstract class takes several times as long.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping

Value = Mapping[str, object]
_NOTHING: Value = {}


def child(value: Value, name: str) -> Value:
    """The mapping under `name`, or an empty one."""
    found = value.get(name)
    return found if isinstance(found, dict) else _NOTHING


def children(value: Value, name: str) -> Iterator[Value]:
    """The mappings in the list under `name`."""
    found = value.get(name)
    if isinstance(found, list | tuple):
        yield from (item for item in found if isinstance(item, dict))


def text(value: Value, name: str) -> str:
    """The string under `name`, or an empty one."""
    found = value.get(name)
    return found if isinstance(found, str) else ""


def number(value: Value, name: str) -> int:
    """The integer under `name`, or 0."""
    found = value.get(name)
    return found if isinstance(found, int) else 0


def texts(value: Value, name: str) -> tuple[str, ...]:
    """The strings in the list under `name`."""
    found = value.get(name)
    return tuple(i for i in found if isinstance(i, str)) if isinstance(found, list) else ()


def compact(value: object) -> str:
    """JSON without spaces, keys sorted: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(encoded: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(encoded.encode()).hexdigest()[:16]
