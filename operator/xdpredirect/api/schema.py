"""Holds a document against a CRD's schema the way an API server with strict fields does.

Called by validate. jsonschema walks the document; every keyword is ours, so that each problem says
what to write instead. A keyword that is not in the table below is a defect and raises at once.
"""

from dataclasses import dataclass
from typing import Any, cast

from jsonschema.protocols import Validator
from jsonschema.validators import create

from xdpredirect.api import keywords
from xdpredirect.api.crd import Schema, child, properties
from xdpredirect.api.wording import field_path

Path = tuple[str | int, ...]


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
    """One schema, ready for many documents."""

    def __init__(self, schema: Schema) -> None:
        self._validator: Validator = _KEYWORDS(_strict(schema))

    def problems(self, document: object) -> tuple[Problem, ...]:
        """Every problem of `document`, in the order of the schema."""
        errors = self._validator.iter_errors(cast("Any", document))
        return tuple(Problem(tuple(error.absolute_path), error.message) for error in errors)


# Says nothing about which documents are valid.
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


def _strict(schema: Schema) -> Schema:
    """`schema` with every object closed: a field without a schema is an error."""
    unknown = schema.keys() - _SILENT - keywords.TABLE.keys()
    if unknown:
        raise ValueError(f"the schema uses {', '.join(sorted(unknown))}, which nothing checks")
    strict = dict(schema)
    if "properties" in schema:
        strict["properties"] = {name: _strict(field) for name, field in properties(schema).items()}
        strict["additionalProperties"] = False
    for keyword in ("items", "additionalProperties"):
        inner = child(schema, keyword)
        if inner is not None:
            strict[keyword] = _strict(inner)
    return {k: v for k, v in strict.items() if k not in _SILENT or k in keywords.READ}


_KEYWORDS = create(meta_schema={}, validators=keywords.TABLE)
