"""`kubectl explain`: every field of every object says what it is for."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import CRDS, Cluster
from tests.cluster.wire import Wire

NAMES = sorted(path.stem for path in CRDS.glob("*.yaml"))


def fields(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(path, schema) of every field below, through lists and maps, as `kubectl explain` walks."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from fields(inner, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), Mapping):
            yield from fields(schema[keyword], path)


def schema_of(name: str) -> Mapping[str, Any]:
    crd = yaml.safe_load((CRDS / f"{name}.yaml").read_text())
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


@pytest.mark.parametrize("name", NAMES)
def test_the_server_publishes_a_description_of_every_field(wire: Wire, name: str) -> None:
    published = wire.request("GET", "/openapi/v3/apis/xdpredirect.io/v1alpha1").body
    kind = yaml.safe_load((CRDS / f"{name}.yaml").read_text())["spec"]["names"]["kind"]
    schema = published["components"]["schemas"][f"io.xdpredirect.v1alpha1.{kind}"]
    descriptions = {path: field.get("description", "") for path, field in fields(schema, name)}
    wanted = {path for path, _ in fields(schema_of(name), name)}
    assert wanted <= descriptions.keys()
    assert [path for path in sorted(wanted) if not descriptions[path].strip()] == []


@pytest.mark.parametrize("name", NAMES)
def test_kubectl_explains_the_tree_and_its_ends(cluster: Cluster, name: str) -> None:
    tree = cluster.kubectl("explain", name, "--recursive")
    found = [(path, field) for path, field in fields(schema_of(name), name)]
    assert {path.rpartition(".")[2] for path, _ in found} <= set(tree.replace(" <", "\n").split())
    deepest = max(found, key=lambda item: item[0].count("."))
    told = cluster.kubectl("explain", deepest[0])
    assert deepest[1]["description"].split()[:5] == told.split("DESCRIPTION:")[1].split()[:5]
