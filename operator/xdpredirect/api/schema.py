"""Holds a document against a CRD's schema the way an API server with strict fields does.

Called by validate, and alone in knowing jsonschema, which walks the document. What a keyword asks
for and says is the business of keywords. A keyword that nobody checks raises at once.
"""

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, cast

from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import create

from xdpredirect.api.crd import Schema, child, properties
from xdpredirect.api.wording import field_path

Path = tuple[str | int, ...]
# What a keyword yields: a sentence, and the field below the instance that it is about, if any.
Wrong = ValidationError
Errors = Iterator[Wrong]
# (validator, the keyword's value, instance, schema); jsonschema has no types for its callbacks, so
# this is the edge where its Any ends.
Keyword = Callable[[Any, Any, Any, Any], Errors]


@dataclass(frozen=True, slots=True)
class Problem:
    """Where, and one sentence: what is wrong and what to write instead."""

    path: Path
    sentence: str

    def __str__(self) -> str:
        # A rule about the whole document names the field in its own words.
        return f"{rendered(self.path)}: {self.sentence}" if self.path else self.sentence


def rendered(path: Path) -> str:
    """`spec.rules[3].match`."""
    text = ""
    for step in path:
        text = f"{text}[{step}]" if isinstance(step, int) else field_path(text, step)
    return text


class SchemaValidator:
    """One schema, ready for many documents.

    Raises ValueError where the schema has a keyword that is not among `keywords`.
    """

    def __init__(self, schema: Schema, keywords: Mapping[str, Keyword]) -> None:
        validator = create(meta_schema={}, validators=dict(keywords))
        self._validator: Validator = validator(_strict(schema, keywords.keys() | _SILENT))

    def problems(self, document: object) -> tuple[Problem, ...]:
        """Every problem of `document`, in the order of the schema."""
        errors = self._validator.iter_errors(cast("Any", document))
        return tuple(Problem(tuple(error.absolute_path), error.message) for error in errors)


# Decides nothing alone; some of it is read by keywords.
_SILENT = frozenset(
    {
        "description",
        "default",
        "example",
        "format",
        "nullable",
        "x-kubernetes-validations",
        "x-kubernetes-map-type",
        "x-kubernetes-list-map-keys",
    }
)


def _strict(schema: Schema, known: Set[str]) -> Schema:
    """`schema` with every object closed: a field without a schema is an error."""
    unknown = schema.keys() - known
    if unknown:
        raise ValueError(f"the schema uses {', '.join(sorted(unknown))}, which nothing checks")
    strict = dict(schema)
    if "properties" in schema:
        strict["properties"] = {
            name: _strict(field, known) for name, field in properties(schema).items()
        }
        strict["additionalProperties"] = False
    for keyword in ("items", "additionalProperties"):
        inner = child(schema, keyword)
        if inner is not None:
            strict[keyword] = _strict(inner, known)
    return strict
