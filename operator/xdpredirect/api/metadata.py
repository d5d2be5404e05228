"""The schema of what every object has besides its spec: apiVersion, kind and metadata.

Called by schema. An API server knows this part by itself, so no CRD file holds it.
"""

from collections.abc import Mapping

Schema = Mapping[str, object]

_TEXT: Schema = {"type": "string"}
_LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$"
_LABEL_VALUE = r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$"
_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}

METADATA: Schema = {
    "type": "object",
    "example": {"name": "edge"},
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "example": "edge", "maxLength": 253, "pattern": _NAME},
        "labels": {
            "type": "object",
            "example": {"app": "edge"},
            "propertyNames": {"pattern": _LABEL_KEY, "example": "example.com/role"},
            "additionalProperties": {
                "type": "string",
                "example": "edge",
                "maxLength": 63,
                "pattern": _LABEL_VALUE,
            },
        },
        "annotations": {
            "type": "object",
            "example": {"example.com/owner": "team"},
            "propertyNames": {"pattern": _LABEL_KEY, "example": "example.com/owner"},
            "additionalProperties": {"type": "string", "example": "team"},
        },
        # The rest is written by a server and found in what `kubectl get -o yaml` prints.
        "uid": _TEXT,
        "resourceVersion": _TEXT,
        "generation": {"type": "integer", "minimum": 0, "maximum": 9007199254740991},
        "creationTimestamp": _TEXT,
        "deletionTimestamp": _TEXT,
        "deletionGracePeriodSeconds": {"type": "integer"},
        "finalizers": {"type": "array", "items": _TEXT},
        "ownerReferences": _OBJECTS,
        "managedFields": _OBJECTS,
        "selfLink": _TEXT,
    },
}


def envelope(schema: Schema, kind: str, api_version: str) -> Schema:
    """`schema` of a CRD with its apiVersion, kind and metadata spelled out, without its status.

    A status is what was observed; in a file it is dropped before anything looks at it.
    """
    fields = schema["properties"]
    if not isinstance(fields, Mapping):
        raise TypeError("the schema of an object has properties")
    kept = {name: field for name, field in fields.items() if name != "status"}
    kept["apiVersion"] = {"type": "string", "enum": [api_version]}
    kept["kind"] = {"type": "string", "enum": [kind]}
    kept["metadata"] = METADATA
    required = ["apiVersion", "kind", "metadata", "spec"]
    return {**schema, "required": required, "properties": kept}
