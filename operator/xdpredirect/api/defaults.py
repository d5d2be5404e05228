"""What an API server does to a document before it looks at it: nulls removed, defaults filled in.

Called by validate, and by nobody that decodes: an absent field means its default there too.
"""

import copy
from collections.abc import Mapping

from xdpredirect.api.crd import Schema, child, properties


def with_defaults(schema: Schema, value: object) -> object:
    """A copy of `value` as an API server would store it.

    A null beside other fields disappears, or becomes the default of the field; a null in a list
    stays, for the schema to refuse. Values of the wrong type stay as they are.
    """
    if isinstance(value, Mapping):
        return _object(schema, value)
    items = child(schema, "items")
    if isinstance(value, list) and items is not None:
        if "properties" not in items and "items" not in items:
            return value
        return [with_defaults(items, item) for item in value]
    return value


def _object(schema: Schema, value: Mapping[object, object]) -> dict[object, object]:
    known = properties(schema)
    others = child(schema, "additionalProperties")
    filled: dict[object, object] = {}
    for name, item in value.items():
        field = known.get(name, others) if isinstance(name, str) else None
        if item is None and field is not None and not field.get("nullable"):
            continue
        filled[name] = item if field is None else with_defaults(field, item)
    for name, field in known.items():
        if name not in filled and "default" in field:
            filled[name] = copy.deepcopy(field["default"])
    return filled
