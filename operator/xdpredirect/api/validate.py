"""Everything that an API server would say about one document, on a machine without one.

Called by load. Imports the schema and CEL libraries only when the first document is validated:
a process that merely decodes never pays for them.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from xdpredirect.api.crd import crds
from xdpredirect.api.defaults import with_defaults
from xdpredirect.api.metadata import envelope

if TYPE_CHECKING:
    from xdpredirect.api.cel import CelRules
    from xdpredirect.api.crd import Schema
    from xdpredirect.api.schema import SchemaValidator

Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The document as an API server would store it, without status, and what is wrong with it.

    `malformed` breaks the schema, `refused` a rule; both are lines `path: sentence`.
    """

    document: Document
    malformed: tuple[str, ...]
    refused: tuple[str, ...]


def validate(kind: str, document: Document) -> Verdict:
    """Judge a document of a kind that `crds` knows."""
    kind_schema = _schema(kind)
    wanted = {name: value for name, value in document.items() if name != "status"}
    stored = cast("Document", with_defaults(kind_schema.schema, wanted))
    found = kind_schema.validator.problems(stored)
    broken = frozenset(problem.path for problem in found)
    failed = kind_schema.rules.problems(stored, broken)
    return Verdict(stored, tuple(map(str, found)), tuple(map(str, failed)))


@dataclass(frozen=True, slots=True)
class _KindSchema:
    schema: "Schema"
    validator: "SchemaValidator"
    rules: "CelRules"


@cache
def _schema(kind: str) -> _KindSchema:
    from xdpredirect.api.cel import CelRules  # noqa: PLC0415 - see above
    from xdpredirect.api.keywords import TABLE  # noqa: PLC0415 - see above
    from xdpredirect.api.schema import SchemaValidator  # noqa: PLC0415 - see above

    crd = crds()[kind]
    schema = envelope(crd.schema, kind, crd.api_version)
    return _KindSchema(schema, SchemaValidator(schema, TABLE), CelRules(schema))
