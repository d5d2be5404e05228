"""The schema keywords for single values: types, words, patterns, lengths and bounds.

Called by keywords, which says how jsonschema calls them.
"""

from collections.abc import Mapping
from typing import Any

from xdpredirect.api.example import example_of, flow
from xdpredirect.api.patterns import compiled, in_words
from xdpredirect.api.schema import Errors, Wrong
from xdpredirect.api.wording import listed, shown

_TYPE_WORDS = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
}


def is_kind(kind: str, value: object) -> bool:
    """Whether `value` is of a JSON type; a boolean is no number, and 1.0 is no integer."""
    match kind:
        case "object":
            return isinstance(value, Mapping)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
    raise ValueError(f"the schema has a field of type {kind}")


def type_(validator: Any, kind: str, instance: Any, schema: Any) -> Errors:
    """The JSON type, with the words of an `enum` or an example of the right one."""
    if is_kind(kind, instance):
        return
    if "enum" in schema:
        yield from enum_(validator, schema["enum"], instance, {**schema, "type": ""})
        return
    such_as = f"such as {flow(example_of(schema))}, not {shown(instance)}"
    if "pattern" in schema and isinstance(instance, int | float):
        quoted = str(instance)
        if compiled(schema["pattern"]).search(quoted):
            such_as = f"in quotes: write {shown(quoted)}, not {quoted}"
    yield Wrong(f"must be {_TYPE_WORDS[kind]} {such_as}")


def enum_(_validator: Any, words: list[Any], instance: Any, schema: Any) -> Errors:
    """One of the words."""
    # A value of another type was reported by `type`, which asks for these words too.
    if instance in words and isinstance(instance, type(words[0])):
        return
    if schema["type"] and not is_kind(schema["type"], instance):
        return
    wanted = "true or left out" if words == [True] else listed([str(word) for word in words])
    yield Wrong(f"must be {wanted}, not {shown(instance)}")


def pattern_(_validator: Any, pattern: str, instance: Any, schema: Any) -> Errors:
    """The form of a text."""
    if isinstance(instance, str) and not compiled(pattern).search(instance):
        such_as = flow(example_of(schema))
        yield Wrong(f"must be {in_words(pattern)} such as {such_as}, not {shown(instance)}")


def _length(least: int, most: int | None, instance: Any, schema: Any) -> Errors:
    """One line for a text: its length only where its form is right."""
    if not isinstance(instance, str):
        return
    if "pattern" in schema and not compiled(schema["pattern"]).search(instance):
        return
    if len(instance) < least:
        such_as = flow(example_of(schema))
        yield Wrong(f"is too short; write such as {such_as}, not {shown(instance)}")
    elif most is not None and len(instance) > most:
        yield Wrong(f"must have at most {most} characters, not {len(instance)}; shorten it")


def min_length_(_validator: Any, least: int, instance: Any, schema: Any) -> Errors:
    """The shortest text."""
    yield from _length(least, None, instance, schema)


def max_length_(_validator: Any, most: int, instance: Any, schema: Any) -> Errors:
    """The longest text."""
    yield from _length(0, most, instance, schema)


def minimum_(_validator: Any, least: int, instance: Any, schema: Any) -> Errors:
    """The smallest number."""
    if is_kind("number", instance) and instance < least:
        yield Wrong(_bounds(schema, instance))


def maximum_(_validator: Any, most: int, instance: Any, schema: Any) -> Errors:
    """The largest number."""
    if is_kind("number", instance) and instance > most:
        yield Wrong(_bounds(schema, instance))


def _bounds(schema: Any, instance: Any) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f"must be from {schema['minimum']} to {schema['maximum']}, not {shown(instance)}"
    if "minimum" in schema:
        return f"must be at least {schema['minimum']}, not {shown(instance)}"
    return f"must be at most {schema['maximum']}, not {shown(instance)}"


def int_or_string_(_validator: Any, wanted: bool, instance: Any, schema: Any) -> Errors:
    """A number or a text, such as 3 or 25%."""
    fits = isinstance(instance, int | str) and not isinstance(instance, bool)
    if wanted and not fits:
        such_as = flow(example_of(schema))
        yield Wrong(f"must be an integer or a string such as {such_as}, not {shown(instance)}")


def any_of_(validator: Any, schemas: Any, instance: Any, _schema: Any) -> Errors:
    """One of several forms."""
    if not any(validator.evolve(schema=one).is_valid(instance) for one in schemas):
        yield Wrong(f"fits none of the forms that are allowed here: {shown(instance)}")
