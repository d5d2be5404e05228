"""Text to JSON values: YAML with several documents, or JSON, read as kubectl would read it.

Called by load. Refuses what a reader could misunderstand or that could exhaust the machine:
duplicate keys, tags, deep nesting, aliases that multiply. Values are dict, list, str, int, float,
bool and None only.
"""

import json
import re
from collections.abc import Iterator

import yaml

from xdpredirect.api.wording import printable, shown
from xdpredirect.errors import InvalidInput

# An object is 12 levels deep. libyaml's callers recurse on the C stack and crash near 10,000.
_DEEPEST = 100
# Nodes that aliases may stand for in one file: room for shared lists, not for a bomb.
_MOST_ALIASED = 100_000


def parse_documents(text: str) -> tuple[object, ...]:
    """Every document that is not empty.

    Raises InvalidInput with one line, `line L, column C: sentence`, for text that is neither.
    """
    try:
        if text.lstrip()[:1] in ("{", "["):
            value = _json(text)
            if value is not _NO_JSON:
                return (value,)
        _bound(text)
        return tuple(value for value in _yaml(text) if value is not None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidInput((where + printable(str(error.problem or error.context)),)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidInput((printable(" ".join(str(error).split())),)) from None


_NO_JSON = object()


def _json(text: str) -> object:
    """The value, or _NO_JSON: what starts like JSON may still be YAML in flow style."""
    if _nesting(text) > _DEEPEST:
        raise ValueError(f"nested deeper than {_DEEPEST} levels")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except json.JSONDecodeError:
        return _NO_JSON


def _nesting(text: str) -> int:
    """At least the depth of brackets; those in strings count too, which only a defence may do."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(twice)} is there twice; remove one")
    return found


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no number of JSON")


def _bound(text: str) -> None:
    """Raises ValueError for nesting or aliases that nobody writes by hand."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    aliased = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader), 1):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, count + aliased))
            if len(open_nodes) > _DEEPEST:
                raise ValueError(f"nested deeper than {_DEEPEST} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, start = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = count + aliased - start
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_nodes):
                raise ValueError(f"the alias *{event.anchor} stands inside of what it stands for")
            aliased += sizes.get(event.anchor or "", 1)
            if aliased > _MOST_ALIASED:
                raise ValueError(f"aliases stand for more than {_MOST_ALIASED} values")


def _yaml(text: str) -> Iterator[object]:
    yield from yaml.load_all(text, _Loader)


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: no dates and no numbers in base 60, which PyYAML knows."""

    def unique_mapping(self, node: yaml.MappingNode) -> Iterator[dict[object, object]]:
        """A mapping; raises ConstructorError where a key is there twice."""
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    sentence = f"the key {shown(key.value)} is there twice; remove one"
                    raise yaml.constructor.ConstructorError(None, None, sentence, key.start_mark)
                seen.add((key.tag, key.value))
        found: dict[object, object] = {}
        yield found
        found.update(self.construct_mapping(node))

    def finite(self, node: yaml.ScalarNode) -> float:
        """A number that JSON can hold."""
        number = float(self.construct_yaml_float(node))
        if number - number != 0.0:
            sentence = f"{node.value} is no number of JSON"
            raise yaml.constructor.ConstructorError(None, None, sentence, node.start_mark)
        return number

    def refuse(self, node: yaml.Node) -> None:
        """Tags other than those of JSON."""
        sentence = f"the tag {node.tag} is not supported; remove it"
        raise yaml.constructor.ConstructorError(None, None, sentence, node.start_mark)


_TAG = "tag:yaml.org,2002:"
# Name of the tag, form of the text, characters it can start with ("" for the empty text).
_BOOL = r"true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
_INT = r"[-+]?(?:0|[1-9][0-9_]*|0[0-7_]+|0o[0-7]+|0b[01_]+|0x[0-9a-fA-F_]+)"
_FLOAT = (
    r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)

_Loader.yaml_implicit_resolvers = {}


def _resolve(name: str, form: str, first: list[str]) -> None:
    _Loader.add_implicit_resolver(_TAG + name, re.compile(rf"(?:{form})\Z"), first)


_resolve("bool", _BOOL, list("yYnNtTfFoO"))
_resolve("int", _INT, list("-+0123456789"))
_resolve("float", _FLOAT, list("-+0123456789."))
_resolve("null", r"~|null|Null|NULL|", [*"~nN", ""])
_resolve("merge", r"<<", ["<"])
_Loader.yaml_constructors = {
    _TAG + "null": _Loader.construct_yaml_null,
    _TAG + "bool": _Loader.construct_yaml_bool,
    _TAG + "int": _Loader.construct_yaml_int,
    _TAG + "float": _Loader.finite,
    _TAG + "str": _Loader.construct_yaml_str,
    _TAG + "seq": _Loader.construct_yaml_seq,
    _TAG + "map": _Loader.unique_mapping,
    None: _Loader.refuse,
}
