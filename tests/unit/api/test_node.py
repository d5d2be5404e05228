"""Node objects: what the operator writes is what the agent's store gets; nothing else passes."""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any, cast

import pytest
import yaml

from tests.spec.generate import random_object
from tests.unit.api.changes import HERE, changed, schema_of
from tests.unit.api.test_mutations import mutate
from xdpredirect.api.decode import decode_redirect
from xdpredirect.api.load import load_text
from xdpredirect.api.node import (
    NodeRedirect,
    NodeSpec,
    address_sets_of,
    decode_node,
    encode_spec,
    features_of,
    missing_features,
    to_documents,
)
from xdpredirect.api.redirect import NodeSelector
from xdpredirect.errors import InvalidInput

EVERY_FIELD: dict[str, Any] = next(yaml.safe_load_all((HERE / "every_field.yaml").read_text()))


def stored(document: dict[str, Any], uid: str = "1-a", generation: int = 3) -> dict[str, Any]:
    """`document` as an API server returns it: defaults filled in, uid and generation given."""
    (kept,) = load_text(json.dumps(document), "a test").documents
    metadata = {"name": document["metadata"]["name"], "uid": uid, "generation": generation}
    return {**copy.deepcopy(kept), "metadata": metadata}


def redirect_from(document: dict[str, Any]) -> NodeRedirect:
    """A stored XdpRedirect, for a node."""
    metadata, spec = document["metadata"], document["spec"]
    kept = {name: value for name, value in spec.items() if name != "nodeSelector"}
    return NodeRedirect(
        name=metadata["name"], uid=metadata["uid"], generation=metadata["generation"], spec=kept
    )


def node_object(*redirects: NodeRedirect, revision: int = 1) -> dict[str, Any]:
    """A node object as an API server returns it."""
    spec = NodeSpec(
        revision=revision,
        required_features=tuple(sorted({f for r in redirects for f in features_of(r.spec)})),
        redirects=redirects,
        address_sets=tuple(sorted({s for r in redirects for s in address_sets_of(r.spec)})),
    )
    document = {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpRedirectNode",
        "metadata": {"name": "node-a", "generation": 9, "managedFields": []},
        "spec": encode_spec(spec),
        "status": {"observedRevision": 0, "later": "fields of a status are not read"},
    }
    copied: dict[str, Any] = json.loads(json.dumps(document))
    return copied


def objects(value: Any, pointer: str) -> Iterator[str]:
    """Pointers of every JSON object below `value`, itself included."""
    if isinstance(value, dict):
        yield pointer
        for name, item in value.items():
            yield from objects(item, f"{pointer}/{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from objects(item, f"{pointer}/{index}")


SAMPLE = node_object(redirect_from(stored(EVERY_FIELD)))


@pytest.mark.parametrize("chunk", range(4))
def test_an_object_arrives_as_it_was_written(chunk: int) -> None:
    for seed in range(chunk, 40, 4):
        written = stored(cast("Any", random_object(Random(seed))), generation=seed + 1)
        wanted = decode_redirect(written)
        spec = decode_node(node_object(redirect_from(written)))
        (document,) = to_documents(spec)
        anywhere = replace(wanted.spec, node_selector=NodeSelector())
        assert decode_redirect(document) == replace(wanted, spec=anywhere), seed
        assert document["metadata"] == written["metadata"]
        # The store's own validation takes it too.
        assert load_text(json.dumps(document), "a test").redirects == (decode_redirect(document),)


def test_every_field_arrives() -> None:
    (document,) = to_documents(decode_node(SAMPLE))
    wanted = stored(EVERY_FIELD)
    assert document["spec"] == {**wanted["spec"], "nodeSelector": {}}


def test_order_identity_and_revision_arrive() -> None:
    first, second = (
        replace(redirect_from(stored(EVERY_FIELD, uid)), name=name)
        for uid, name in (("u-2", "zebra"), ("u-1", "ant"))
    )
    spec = decode_node(node_object(first, second, revision=41))
    assert (spec.revision, spec.redirects) == (41, (first, second))
    assert [d["metadata"] for d in to_documents(spec)] == [
        {"name": "zebra", "uid": "u-2", "generation": 3},
        {"name": "ant", "uid": "u-1", "generation": 3},
    ]


def test_an_emptied_spec_is_a_spec() -> None:
    assert decode_node(node_object()) == NodeSpec(revision=1)


@pytest.mark.parametrize("field", ["revision", "requiredFeatures", "redirects", "addressSets"])
def test_an_absent_list_is_not_an_empty_one(field: str) -> None:
    with pytest.raises(InvalidInput, match=rf"spec\.{field}: is missing"):
        decode_node(changed(SAMPLE, {"at": f"/spec/{field}"}))


def test_an_object_without_spec_is_refused() -> None:
    with pytest.raises(InvalidInput, match="spec: is missing"):
        decode_node(changed(SAMPLE, {"at": "/spec"}))


@pytest.mark.parametrize("pointer", [*objects(SAMPLE["spec"], "/spec"), ""])
def test_an_unknown_field_is_refused_at_any_depth(pointer: str) -> None:
    with pytest.raises(InvalidInput, match="zzzz"):
        decode_node(changed(SAMPLE, {"at": f"{pointer}/zzzz", "set": 1}))


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        ("/kind", "XdpRedirect", 'kind: must be XdpRedirectNode, not "XdpRedirect"'),
        ("/apiVersion", "xdpredirect.io/v2", "apiVersion: must be xdpredirect.io/v1alpha1"),
        ("/spec", [], "spec: must be an object"),
        ("/spec/revision", "1", "spec.revision: must be an integer"),
        ("/spec/redirects", {}, "spec.redirects: must be a list"),
        ("/spec/redirects/0/uid", 7, "spec.redirects[0].uid: must be a string"),
        ("/spec/redirects/0/spec", [], "spec.redirects[0].spec: must be an object"),
        ("/spec/redirects/0/spec/rules/0/match", {}, "spec.redirects[0].spec.rules[0].match: must"),
        ("/spec/redirects/0/spec/nodeSelector", {}, "nodeSelector: is decided by the operator"),
        ("/spec/addressSets/0", None, "spec.addressSets[0]: must be a string"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(at: str, value: object, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_node(changed(SAMPLE, {"at": at, "set": value}))
    assert words in str(refused.value)


def test_every_problem_of_every_redirect_is_named() -> None:
    twice = node_object(*(redirect_from(stored(EVERY_FIELD)) for _ in range(2)))
    for index in (0, 1):
        del twice["spec"]["redirects"][index]["spec"]["rules"][0]["action"]
    with pytest.raises(InvalidInput) as refused:
        decode_node(twice)
    assert [line.split(":")[0] for line in refused.value.problems] == [
        "spec.redirects[0].spec.rules[0].action",
        "spec.redirects[1].spec.rules[0].action",
    ]


def test_a_name_that_is_there_twice_is_refused() -> None:
    twice = node_object(*(redirect_from(stored(EVERY_FIELD)) for _ in range(2)))
    with pytest.raises(InvalidInput, match="means the same as"):
        decode_node(twice)


def test_a_missing_feature_is_told_before_anything_else() -> None:
    newer = changed(SAMPLE, {"at": "/spec/requiredFeatures", "set": ["match/all", "action/Clone"]})
    newer["spec"]["redirects"][0]["spec"]["rules"][0]["action"] = {"type": "Clone", "clone": {}}
    newer["spec"]["laterField"] = 1
    assert missing_features(newer) == ("action/Clone",)
    with pytest.raises(InvalidInput, match="requiredFeatures: action/Clone is unknown"):
        decode_node(newer)


@pytest.mark.parametrize("spec", [None, [], {}, {"requiredFeatures": 1}, {"requiredFeatures": [1]}])
def test_missing_features_of_nonsense_are_none(spec: object) -> None:
    assert missing_features({"spec": spec}) == ()


def test_nothing_is_missing_from_what_this_version_wrote() -> None:
    assert missing_features(SAMPLE) == ()


@pytest.mark.parametrize(
    ("pointer", "fields"),
    [
        ("/spec", schema_of("XdpRedirectNode")["properties"]),
        (
            "/spec/redirects/0",
            schema_of("XdpRedirectNode")["properties"]["redirects"]["items"]["properties"],
        ),
    ],
)
def test_the_fields_are_those_of_the_schema(pointer: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_node(changed(SAMPLE, {"at": f"{pointer}/zzzz", "set": 1}))
    known = re.search(r"unknown field; remove it, or write one of (.*)$", str(refused.value))
    assert known is not None
    assert set(known[1].split(", ")) == set(fields)


def problems(document: dict[str, Any]) -> tuple[str, ...]:
    """The lines that `document` is refused with; none where the store would get it."""
    try:
        missing_features(document)
        to_documents(decode_node(document))
    except InvalidInput as error:
        return error.problems or ("refused without a word",)
    return ()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_sent_is_decoded_or_refused_in_printable_lines(seed: int) -> None:
    rng, refused = Random(seed), 0
    for _ in range(40):
        document: Any = SAMPLE
        for _ in range(rng.randint(1, 3)):
            document = mutate(document, rng)
        if isinstance(document, dict):
            lines = problems(document)
            refused += bool(lines)
            assert all(line.isprintable() for line in lines), lines
    assert refused > 20
