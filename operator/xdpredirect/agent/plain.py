"""Dataclasses as JSON-safe values with camelCase keys, and back. Pure.

Called by `agent.status` and `agent.ledger`.
"""

import typing
from dataclasses import fields, is_dataclass
from enum import Enum


def to_plain(value: object) -> object:
    """Dataclasses become mappings, tuples lists, enums their values; scalars stay."""
    if is_dataclass(value):
        return {_camel(item.name): to_plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def from_plain(kind: typing.Any, value: object, path: str) -> object:
    """The reverse of `to_plain`. `kind` is a dataclass, tuple[X, ...], enum or scalar type.

    Raises ValueError naming the path, from `path` on, that does not fit.
    """
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{path}: not a list")
        inner = typing.get_args(kind)[0]
        return tuple(from_plain(inner, item, f"{path}[{i}]") for i, item in enumerate(value))
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise ValueError(f"{path}: not a mapping")
        hints = typing.get_type_hints(kind)
        missing = [_camel(name) for name in hints if _camel(name) not in value]
        if missing:
            raise ValueError(f"{path}: lacks {', '.join(missing)}")
        built = {
            name: from_plain(hint, value[_camel(name)], f"{path}.{_camel(name)}")
            for name, hint in hints.items()
        }
        return typing.cast(typing.Any, kind)(**built)
    if issubclass(kind, Enum):
        return kind(value)
    if type(value) is not kind:
        raise ValueError(f"{path}: {value!r} is not of type {kind.__name__}")
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
