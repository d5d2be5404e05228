"""Makes a valid XdpRedirect invalid, in one way that the returned sentence names.

Called by `generate`'s users: every result must be refused with a clear error.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

from tests.spec.broken import CIDRS, MATCHES, SPECS, WORDS
from tests.spec.broken_actions import ACTIONS

Json = dict[str, Any]
# Changes the document in place and says what it did; None where there was nothing to change.
Mutation = Callable[[Random, Json], str | None]

_DEPTH = 200


def mutate(rng: Random, document: Json) -> tuple[str, Json]:
    """What was broken, and a broken copy of a valid document."""
    while True:
        broken = copy.deepcopy(document)
        said = rng.choice(MUTATIONS)(rng, broken)
        if said is not None:
            return said, broken


def _places(value: Json | list[Any], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every (path, container, key) of a document whose names are the schema's, not the user's."""
    items: Iterable[tuple[Any, Any]] = (
        enumerate(value) if isinstance(value, list) else value.items()
    )
    for key, item in items:
        inner = f"{path}.{key}"
        yield inner, value, key
        if isinstance(item, dict | list) and key != "matchLabels":
            yield from _places(item, inner)


def _pick(
    rng: Random, document: Json, fits: Callable[[Any, Any], bool]
) -> tuple[str, Any, Any] | None:
    places = [place for place in _places(document["spec"]) if fits(place[1], place[2])]
    return rng.choice(places) if places else None


def _rule(rng: Random, document: Json) -> Json:
    rule: Json = rng.choice(document["spec"]["rules"])
    return rule


def _typo(rng: Random, document: Json) -> str | None:
    place = _pick(rng, document, lambda container, _: isinstance(container, dict))
    if place is None:
        return None
    path, container, key = place
    container[rng.choice((f"{key}s2", key.upper() + "_", key[:-1] + "~"))] = container.pop(key)
    return f"misspell {path}"


def _extra(rng: Random, document: Json) -> str:
    mappings = [c for _, c, _ in _places(document["spec"]) if isinstance(c, dict)]
    rng.choice([document, *mappings])["unknownField"] = rng.choice((1, "x", {}, [], True))
    return "add an unknown field"


def _wrong_type(rng: Random, document: Json) -> str | None:
    place = _pick(rng, document, lambda *_: True)
    if place is None:
        return None
    path, container, key = place
    other = {str: 7, int: "seven", bool: "yes", list: "text", dict: ["text"]}
    container[key] = other[type(container[key])]
    return f"another type at {path}"


def _out_of_range(rng: Random, document: Json) -> str | None:
    place = _pick(rng, document, lambda container, key: type(container[key]) is int)
    if place is None:
        return None
    path, container, key = place
    container[key] = rng.choice((-1, 1 << 40, -(1 << 63), 1 << 70, 0.5, 1e300))
    return f"{container[key]} at {path}"


def _missing(rng: Random, document: Json) -> str:
    spec, rule = document["spec"], _rule(rng, document)
    container, keys = rng.choice(
        (
            (document, ("apiVersion", "kind", "metadata", "spec")),
            (document["metadata"], ("name",)),
            (spec, ("nodeSelector", "interfaces", "rules")),
            (rule, ("name", "match", "action")),
            (rule["action"], ("type",)),
        )
    )
    key = rng.choice(keys)
    del container[key]
    return f"remove {key}"


def _envelope(rng: Random, document: Json) -> str:
    key, value = rng.choice(
        (
            ("apiVersion", "xdpredirect.io/v1"),
            ("apiVersion", 1),
            ("kind", "XdpRedirects"),
            ("kind", None),
            ("metadata", []),
            ("metadata", {"name": "UPPER"}),
            ("metadata", {"name": "a" * 64}),
            ("metadata", {"name": "nul\0"}),
            ("metadata", {"name": ""}),
            ("metadata", {"name": 5}),
            ("spec", []),
            ("spec", None),
            ("spec", {}),
        )
    )
    document[key] = value
    return f"{key}: {value!r}"


def _broken_match(rng: Random, document: Json) -> str:
    match = rng.choice(MATCHES)
    _rule(rng, document)["match"] = copy.deepcopy(match)
    return f"match {match}"


def _broken_cidr(rng: Random, document: Json) -> str:
    field, text = rng.choice(("sourceCIDRs", "destinationCIDRs")), rng.choice(CIDRS)
    _rule(rng, document)["match"] = {field: ["10.0.0.0/8", text]}
    return f"{field} {text!r}"


def _broken_action(rng: Random, document: Json) -> str:
    action = rng.choice(ACTIONS)
    _rule(rng, document)["action"] = copy.deepcopy(action)
    return f"action {action}"


def _broken_spec(rng: Random, document: Json) -> str:
    change = rng.choice(SPECS)
    document["spec"].update(copy.deepcopy(change))
    return f"spec {change}"


def _odd_text(rng: Random, document: Json) -> str:
    word = rng.choice(WORDS)
    rule = _rule(rng, document)
    place = rng.choice(("rule", "term", "rxQueues", "state"))
    if place == "rule":
        rule["name"] = word
    elif place == "term":
        document["spec"]["interfaces"][0]["names"] = [word]
    elif place == "rxQueues":
        rule["match"] = {"rxQueues": word}
    else:
        document["spec"]["state"] = word
    return f"{word!r} as {place}"


def _deep(rng: Random, document: Json) -> str | None:
    place = _pick(rng, document, lambda *_: True)
    if place is None:
        return None
    path, container, key = place
    nested: Any = "bottom"
    for _ in range(_DEPTH):
        nested = {"a": nested} if rng.random() < 0.5 else [nested]
    container[key] = [[nested]]
    return f"{_DEPTH} levels at {path}"


def _hidden(rng: Random, document: Json) -> str:
    catch_all = {"name": "hides-all", "match": {"all": True}, "action": {"type": "Drop"}}
    document["spec"]["rules"].insert(0, catch_all)
    return "a catch-all in front of other rules"


def _twice(rng: Random, document: Json) -> str:
    rules = document["spec"]["rules"]
    rules.insert(0, {**copy.deepcopy(rules[0]), "match": {"protocols": ["UDP"]}})
    return "two rules of one name"


def _too_many(rng: Random, document: Json) -> str:
    rules = document["spec"]["rules"]
    match = {"etherTypes": ["ARP"]}
    more = [{"name": f"more-{i}", "match": match, "action": {"type": "Pass"}} for i in range(129)]
    document["spec"]["rules"] = more[: 129 - len(rules)] + rules
    return "129 rules"


MUTATIONS: tuple[Mutation, ...] = (
    _typo,
    _extra,
    _wrong_type,
    _out_of_range,
    _missing,
    _envelope,
    _broken_match,
    _broken_match,
    _broken_cidr,
    _broken_action,
    _broken_action,
    _broken_spec,
    _odd_text,
    _deep,
    _hidden,
    _twice,
    _too_many,
)
