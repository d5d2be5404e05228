"""What to write instead: an example value for a schema, and any value as one line of YAML.

Called by keywords. The examples are those of the CRD files; where a field has none, the smallest
value that its schema allows stands in.
"""

import json
import re
from collections.abc import Mapping, Sequence

from xdpredirect.api.crd import Schema, child, properties
from xdpredirect.api.wording import printable

# Plain in every YAML: no colon (a MAC address would be a number in base 60), no leading sign.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/*-]*")
_RESERVED = re.compile(r"(?i:true|false|yes|no|on|off|y|n|null)|[0-9][0-9_.]*|0[xob][0-9a-f]+")


def example_of(schema: Schema) -> object:
    """A value that the schema accepts."""
    if "example" in schema:
        return schema["example"]
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        words = schema["enum"]
        return words[0] if isinstance(words, Sequence) else None
    match schema.get("type"):
        case "object":
            names = schema.get("required", ())
            wanted = names if isinstance(names, Sequence) else ()
            return {name: example_of(properties(schema)[name]) for name in wanted}
        case "array":
            return [example_of(child(schema, "items") or {})]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    return "text"


def flow(value: object) -> str:
    """`value` as a person would write it on one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not _RESERVED.fullmatch(value):
        return value
    return printable(json.dumps(value, ensure_ascii=False, default=str))
