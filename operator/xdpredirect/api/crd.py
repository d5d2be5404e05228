"""The schemas of the objects, read from the CRD files that also go to an API server.

Called by validate. Nothing of a schema is written down a second time in Python.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import cast

from xdpredirect.data import data_dir

Schema = Mapping[str, object]
FILES = ("xdpredirects.yaml", "xdpaddresssets.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crd:
    """One kind. `schema` is its openAPIV3Schema."""

    kind: str
    api_version: str
    schema: Schema


@cache
def crds() -> Mapping[str, Crd]:
    """Every kind by its name. Raises FileNotFoundError where the installation is incomplete."""
    import yaml  # noqa: PLC0415 - the agent decodes without a schema and must not pay for it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = {}
    for name in FILES:
        document = yaml.load((data_dir("crds") / name).read_bytes(), loader)
        crd = _crd(cast("Schema", document["spec"]))
        found[crd.kind] = crd
    return found


def _crd(spec: Schema) -> Crd:
    names, versions = cast("Schema", spec["names"]), cast("list[Schema]", spec["versions"])
    version = next(v for v in versions if v["storage"])
    schema = cast("Schema", version["schema"])["openAPIV3Schema"]
    return Crd(
        kind=str(names["kind"]),
        api_version=f"{spec['group']}/{version['name']}",
        schema=cast("Schema", schema),
    )


def properties(schema: Schema) -> Mapping[str, Schema]:
    """The fields of an object's schema; empty for anything else."""
    return cast("Mapping[str, Schema]", schema.get("properties", {}))


def child(schema: Schema, keyword: str) -> Schema | None:
    """The schema of the items (`items`) or values (`additionalProperties`), if there is one."""
    found = schema.get(keyword)
    return cast("Schema", found) if isinstance(found, Mapping) else None
