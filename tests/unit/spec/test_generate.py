"""Random objects are valid, broken ones are not, and random frames hit the rules."""

import json
from collections import Counter
from random import Random
from typing import cast

import pytest

from tests.spec.generate import mutate, random_frame, random_object, random_sets
from tests.spec.generate_frame import Frame
from tests.spec.matcher import matches, parse
from tests.spec.mutate import MUTATIONS
from xdpredirect.api.decode import decode_address_set, decode_redirect
from xdpredirect.api.load import Objects, load_text
from xdpredirect.api.redirect import XdpAddressSet
from xdpredirect.errors import InvalidInput

# A share that keeps the unit tests short; the fuzzer runs thousands.
CASES = 100
CHUNKS = 4


def seeds(chunk: int) -> range:
    return range(chunk, CASES, CHUNKS)


def load(document: dict[str, object]) -> Objects:
    return load_text(json.dumps(document), "a test")


def refusal(document: dict[str, object]) -> tuple[str, ...]:
    """Why a document is refused; nothing if it is accepted. Any other exception is a failure."""
    try:
        load(document)
    except InvalidInput as error:
        return error.problems
    return ()


def sets_of(rng: Random) -> dict[str, XdpAddressSet]:
    return {each.name: each for each in map(decode_address_set, random_sets(rng))}


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_objects_are_valid(chunk: int) -> None:
    for seed in seeds(chunk):
        document = random_object(Random(seed))
        rules = cast("dict[str, list[object]]", document["spec"])["rules"]
        assert len(load(document).redirects[0].spec.rules) == len(rules), seed


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_sets_are_valid(chunk: int) -> None:
    for seed in seeds(chunk):
        for document in random_sets(Random(seed)):
            assert load(document).address_sets[0].prefixes, seed


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_mutated_objects_are_refused(chunk: int) -> None:
    for seed in seeds(chunk):
        rng = Random(seed)
        what, document = mutate(rng, random_object(rng))
        assert refusal(document), (seed, what)


def test_every_mutation_applies_and_leaves_the_original_alone() -> None:
    original = random_object(Random(7))
    before = repr(original)
    said = {mutate(Random(seed), original)[0] for seed in range(500)}
    assert len(said) > len(MUTATIONS)
    assert repr(original) == before


def test_one_seed_gives_one_object() -> None:
    assert random_object(Random(5)) == random_object(Random(5))
    assert random_sets(Random(5)) == random_sets(Random(5))
    assert mutate(Random(5), random_object(Random(1))) == mutate(
        Random(5), random_object(Random(1))
    )


def test_objects_use_every_field_and_action() -> None:
    fields: Counter[str] = Counter()
    actions: Counter[str] = Counter()
    sizes = []
    for seed in range(300):
        redirect = decode_redirect(random_object(Random(seed)))
        sizes.append(len(redirect.spec.rules))
        for rule in redirect.spec.rules:
            actions[type(rule.action).__name__] += 1
            fields.update(name for name in rule.match.__slots__ if getattr(rule.match, name))
    assert set(fields) == set(redirect.spec.rules[0].match.__slots__)
    assert len(actions) == 11
    assert min(sizes) == 1
    assert max(sizes) > 100
    assert sorted(sizes)[len(sizes) // 2] < 20


def frames_of(seed: int, count: int) -> list[tuple[Frame, bool]]:
    """Frames derived from a random object, and whether some rule other than a catch-all hits."""
    rng = Random(seed)
    redirect, sets = decode_redirect(random_object(rng)), sets_of(rng)
    found = []
    for _ in range(count):
        frame = random_frame(rng, [redirect], sets)
        packet = parse(frame.data, frame.linear)
        rules = [rule for rule in redirect.spec.rules if not rule.match.all]
        hit = any(matches(rule.match, packet, frame.ctx, sets) for rule in rules)
        found.append((frame, hit))
    return found


def test_random_frames_hit_and_miss() -> None:
    hits = [hit for seed in range(40) for _, hit in frames_of(seed, 25)]
    assert len(hits) * 0.3 < sum(hits) < len(hits) * 0.9


def test_random_frames_reach_every_state_of_the_parser() -> None:
    frames = [frame for seed in range(40) for frame, _ in frames_of(seed, 25)]
    packets = [parse(frame.data, frame.linear) for frame in frames]
    tags = {len(p.ethernet.vlan_ids) for p in packets if p.ethernet}
    states = {p.network.fragment for p in packets if p.network}
    assert tags == {0, 1, 2}
    assert len(states) == 3
    assert any(p.ethernet is None for p in packets)
    assert any(
        p.ethernet and p.ethernet.ether_type in (0x0800, 0x86DD) and not p.network for p in packets
    )
    assert any(p.network and p.network.protocol is None for p in packets)
    assert any(p.network and p.network.protocol and not p.transport for p in packets)
    assert min(len(frame.data) for frame in frames) >= 14
    assert any(frame.linear for frame in frames)
