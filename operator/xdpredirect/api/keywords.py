"""The schema keywords, each as a generator of problems in the user's words.

Called by schema through jsonschema. Each takes (validator, keyword's value, instance, schema), as
jsonschema asks; a keyword that is about another type than the instance's says nothing.
"""

from collections.abc import Mapping
from typing import Any

from xdpredirect.api import scalars
from xdpredirect.api.example import example_of, flow
from xdpredirect.api.patterns import compiled, in_words
from xdpredirect.api.schema import Errors, Keyword, Wrong
from xdpredirect.api.wording import listed, shown, unknown_field


def _properties(validator: Any, fields: Any, instance: Any, _schema: Any) -> Errors:
    if not isinstance(instance, Mapping):
        return
    for name, field in fields.items():
        if name in instance:
            yield from validator.descend(instance[name], field, path=name, schema_path=name)


def _additional(validator: Any, others: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, Mapping):
        return
    known = schema.get("properties", {})
    for name, value in instance.items():
        if not isinstance(name, str):
            yield Wrong(f"{shown(name)} is no name of a field; put it in quotes")
        elif name in known:
            continue
        elif others is False:
            yield Wrong(unknown_field(name, known), path=(name,))
        else:
            yield from validator.descend(value, others, path=name)


def _names(_validator: Any, rule: Any, instance: Any, _schema: Any) -> Errors:
    if not isinstance(instance, Mapping):
        return
    for name in instance:
        if isinstance(name, str) and not compiled(rule["pattern"]).search(name):
            yield Wrong(
                f"its name must be {in_words(rule['pattern'])}, such as {rule['example']}",
                path=(name,),
            )


def _required(_validator: Any, names: Any, instance: Any, schema: Any) -> Errors:
    if not isinstance(instance, Mapping):
        return
    for name in names:
        if name not in instance:
            such_as = flow(example_of(schema["properties"][name]))
            yield Wrong(f"is missing; write such as {name}: {such_as}", path=(name,))


def _items(validator: Any, item: Any, instance: Any, _schema: Any) -> Errors:
    if not isinstance(instance, list):
        return
    for index, value in enumerate(instance):
        yield from validator.descend(value, item, path=index)


def _min_items(_validator: Any, least: int, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, list) and len(instance) < least:
        such_as = flow(example_of(schema))
        yield Wrong(f"must not be empty; write such as {such_as}")


def _max_items(_validator: Any, most: int, instance: Any, _schema: Any) -> Errors:
    if isinstance(instance, list) and len(instance) > most:
        yield Wrong(
            f"must have at most {most} items, not {len(instance)}; "
            "move the rest to another rule or object"
        )


def _min_properties(_validator: Any, least: int, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, Mapping) and len(instance) < least:
        yield Wrong(f"must not be empty; write such as {flow(example_of(schema))}")


def _max_properties(_validator: Any, most: int, instance: Any, _schema: Any) -> Errors:
    if isinstance(instance, Mapping) and len(instance) > most:
        yield Wrong(f"must have at most {most} fields, not {len(instance)}; remove some")


def _list_type(_validator: Any, kind: str, instance: Any, schema: Any) -> Errors:
    """`map`: the key fields of no two items are equal. `set`: no two items are equal."""
    if kind == "atomic" or not isinstance(instance, list):
        return
    names = schema.get("x-kubernetes-list-map-keys", ())
    first: dict[str, int] = {}
    for index, item in enumerate(instance):
        if kind == "map" and not (isinstance(item, Mapping) and all(n in item for n in names)):
            continue  # `type` or `required` has said so
        key = flow([item[n] for n in names] if kind == "map" else item)
        if first.setdefault(key, index) != index:
            what = f"the same {listed(names, 'and')} as" if kind == "map" else "the same as"
            yield Wrong(
                f"has {what} item {first[key]}: {key.strip('[]')}; remove or rename one of the two",
                path=(index,),
            )


TABLE: dict[str, Keyword] = {
    "type": scalars.type_,
    "enum": scalars.enum_,
    "x-kubernetes-int-or-string": scalars.int_or_string_,
    "anyOf": scalars.any_of_,
    "pattern": scalars.pattern_,
    "minLength": scalars.min_length_,
    "maxLength": scalars.max_length_,
    "minimum": scalars.minimum_,
    "maximum": scalars.maximum_,
    "minItems": _min_items,
    "maxItems": _max_items,
    "minProperties": _min_properties,
    "maxProperties": _max_properties,
    "required": _required,
    "propertyNames": _names,
    "additionalProperties": _additional,
    "properties": _properties,
    "items": _items,
    "x-kubernetes-list-type": _list_type,
}
