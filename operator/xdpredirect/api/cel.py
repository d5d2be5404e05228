"""Evaluates the x-kubernetes-validations of a CRD file with a CEL library.

Called by validate. Rules run in the order of the file at every place of the document that their
schema describes, with `self` bound to the value there; a place at or below which the schema found
a problem is left out, because a rule may rely on types.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import cast

# The package imports its own command line, and prompt_toolkit and pygments with it: 200 ms of every
# `apply` for what nobody here calls.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
import cel  # noqa: E402

from xdpredirect.api.cel_functions import FUNCTIONS, NATIVE, VARIABLES, misnamed  # noqa: E402
from xdpredirect.api.crd import Schema, child, properties  # noqa: E402
from xdpredirect.api.schema import Path, Problem  # noqa: E402
from xdpredirect.api.wording import shown  # noqa: E402


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule as a function of `self`, and what to say where it does not hold."""

    holds: Callable[[object], bool]
    message: str


@dataclass(slots=True)
class _Node:
    """The rules of one schema; branches without any rule are left out."""

    rules: tuple[_Rule, ...] = ()
    fields: dict[str, "_Node"] = field(default_factory=dict)
    items: "_Node | None" = None
    values: "_Node | None" = None

    @property
    def idle(self) -> bool:
        return not (self.rules or self.fields or self.items or self.values)


class CelRules:
    """The compiled rules of one schema. Raises ValueError for a rule that does not compile."""

    def __init__(self, schema: Schema) -> None:
        self._self = _Self()
        self._root = self._compile(schema)

    def problems(self, document: object, broken: frozenset[Path]) -> tuple[Problem, ...]:
        """Rules that do not hold. `broken` are the paths at which the schema found a problem."""
        above = frozenset(path[:n] for path in broken for n in range(len(path) + 1))
        found = tuple(self._walk(self._root, document, (), above))
        self._self.forget()
        return found

    def _walk(
        self, node: _Node, value: object, path: Path, broken: frozenset[Path]
    ) -> Iterator[Problem]:
        if path not in broken:
            for rule in node.rules:
                sentence = _sentence(rule, value)
                if sentence:
                    yield Problem(path, sentence)
        if isinstance(value, Mapping):
            for name, item in value.items():
                inner = node.fields.get(name, node.values)
                if inner is not None:
                    yield from self._walk(inner, item, (*path, name), broken)
        elif isinstance(value, list) and node.items is not None:
            for index, item in enumerate(value):
                yield from self._walk(node.items, item, (*path, index), broken)

    def _compile(self, schema: Schema) -> _Node:
        items, values = child(schema, "items"), child(schema, "additionalProperties")
        node = _Node(
            rules=tuple(self._rule(rule) for rule in _rules(schema)),
            items=self._compile(items) if items else None,
            values=self._compile(values) if values else None,
        )
        for name, inner in properties(schema).items():
            compiled = self._compile(inner)
            if not compiled.idle:
                node.fields[name] = compiled
        if node.items is not None and node.items.idle:
            node.items = None
        if node.values is not None and node.values.idle:
            node.values = None
        return node

    def _rule(self, rule: Mapping[str, str]) -> _Rule:
        native = NATIVE.get(rule["rule"])
        if native is not None:
            return _Rule(cast("Callable[[object], bool]", native), rule["message"])
        return _Rule(self._self.function(rule["rule"]), rule["message"])


def environment() -> cel.Context:
    """Kubernetes' functions and variables, without `self`."""
    return cel.Context(variables=dict(VARIABLES), functions={**FUNCTIONS, "validate": _validate})


def _validate(_format: str, text: str) -> cel.OptionalValue:
    # Only an optional has hasValue(); it holds the objections, and nothing where there are none.
    objections = misnamed(text)
    return cel.OptionalValue.of(objections) if objections else cel.OptionalValue.none()


class _Self:
    """One CEL environment, in which `self` is rebound from place to place."""

    def __init__(self) -> None:
        self._context = environment()
        self._bound: object = _UNBOUND

    def function(self, text: str) -> Callable[[object], bool]:
        """The rule `text` as a function of `self`."""
        program = cel.compile(text)

        def holds(value: object) -> bool:
            # Converting a large value costs more than a rule does: rules of one place share it.
            if self._bound is not value:
                self._context.add_variable("self", value)
                self._bound = value
            return program.execute(self._context) is True

        return holds

    def forget(self) -> None:
        """Let go of the last value: its owner may change it before it is judged again."""
        self._context.add_variable("self", None)
        self._bound = _UNBOUND


_UNBOUND = object()


def _rules(schema: Schema) -> list[Mapping[str, str]]:
    return cast("list[Mapping[str, str]]", schema.get("x-kubernetes-validations", []))


def _sentence(rule: _Rule, value: object) -> str:
    """What to say about `value`; empty where the rule holds."""
    try:
        if rule.holds(value):
            return ""
        return f"{rule.message}, not {shown(value)}" if isinstance(value, str) else rule.message
    except (TypeError, ValueError, RuntimeError, KeyError, OverflowError) as error:
        # An API server too refuses an object when a rule about it cannot be evaluated.
        return f"{rule.message} (its rule failed: {error})"
