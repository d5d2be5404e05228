"""Strict reading of one JSON object: each field by name and type, errors with their path.

Called by the decode modules. A reader names every field it knows when it is made; any other field
of the object is an error at once, so an agent never acts on half of what somebody wrote.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from enum import StrEnum
from typing import TypeVar, cast

from xdpredirect.api.wording import field_path, listed, shown, unknown_field
from xdpredirect.errors import InvalidInput

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Parse = Callable[[object, str], T]


def problem(path: str, sentence: str) -> InvalidInput:
    """An error with one line: `path: sentence`."""
    return InvalidInput((f"{path}: {sentence}",))


def text(value: object, path: str) -> str:
    """`value` as a string. Raises InvalidInput for any other type."""
    if not isinstance(value, str):
        raise problem(path, f"must be a string, not {shown(value)}")
    return value


def integer(value: object, path: str) -> int:
    """`value` as an integer (a boolean is none). Raises InvalidInput for any other type."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise problem(path, f"must be an integer, not {shown(value)}")
    return value


def each(values: object, path: str, parse: Parse[T]) -> tuple[T, ...]:
    """Every item of a list parsed. Raises InvalidInput with the problems of all items.

    An empty list is an error: as a restriction it would read "nothing" and act as "everything".
    """
    if not isinstance(values, list | tuple):
        raise problem(path, f"must be a list, not {shown(values)}")
    if not values:
        raise problem(path, "must not be empty; add an item, or remove the field")
    parsed: list[T] = []
    problems: list[str] = []
    for index, value in enumerate(values):
        try:
            parsed.append(parse(value, f"{path}[{index}]"))
        except InvalidInput as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidInput(tuple(problems))
    return tuple(parsed)


def collected(problems: list[str], parse: Callable[[], T]) -> T | None:
    """What `parse` returns; None, and its problems added, so that the next field is judged too."""
    try:
        return parse()
    except InvalidInput as error:
        problems.extend(error.problems)
        return None


def distinct(keys: Iterable[Hashable], path: str, field: str) -> None:
    """Raises InvalidInput where two items of the list at `path` have an equal key."""
    first: dict[Hashable, int] = {}
    problems = []
    for index, key in enumerate(keys):
        if first.setdefault(key, index) != index:
            other = f"{path}[{first[key]}].{field}"
            problems.append(f"{path}[{index}].{field}: means the same as {other}; remove one")
    if problems:
        raise InvalidInput(tuple(problems))


class Fields:
    """A JSON object whose fields are all among `known`.

    Every method raises InvalidInput for a value of the wrong type; those without `required` in
    their name return None, an empty tuple or their default for an absent field.
    """

    __slots__ = ("_path", "_values")

    def __init__(self, value: object, path: str, known: tuple[str, ...]) -> None:
        if not isinstance(value, Mapping):
            raise problem(path or "document", f"must be an object, not {shown(value)}")
        unknown = [name for name in value if name not in known]
        if unknown:
            sentences = (f"{field_path(path, n)}: {unknown_field(n, known)}" for n in unknown)
            raise InvalidInput(tuple(sentences))
        self._values = cast("Mapping[str, object]", value)
        self._path = path

    def path(self, name: str) -> str:
        """The path of a field."""
        return field_path(self._path, name)

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self._values

    def required(self, name: str, parse: Parse[T]) -> T:
        """The parsed field. Raises InvalidInput where it is absent."""
        if name not in self._values:
            raise problem(self.path(name), "is missing; add it")
        return parse(self._values[name], self.path(name))

    def child(self, name: str, parse: Parse[T]) -> T | None:
        """The parsed field, or None."""
        if name not in self._values:
            return None
        return parse(self._values[name], self.path(name))

    def items(self, name: str, parse: Parse[T]) -> tuple[T, ...]:
        """The parsed items of a list."""
        if name not in self._values:
            return ()
        return each(self._values[name], self.path(name), parse)

    def flag(self, name: str) -> bool:
        """Whether the field is there; `true` is its only value."""
        value = self._values.get(name, None)
        if value is not True and name in self._values:
            raise problem(self.path(name), f"must be true or left out, not {shown(value)}")
        return value is True

    def choice(self, name: str, kind: type[E], default: E) -> E:
        """A word out of an enumeration."""
        return self.child(name, one_of(kind)) or default


def one_of(kind: type[E]) -> Parse[E]:
    """A parser for the words of `kind`."""

    def parse(value: object, path: str) -> E:
        try:
            return kind(text(value, path))
        except ValueError:
            words = listed([word.value for word in kind])
            raise problem(path, f"must be {words}, not {shown(value)}") from None

    return parse
