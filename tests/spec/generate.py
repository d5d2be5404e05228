"""Random objects, address sets and frames for the fuzzer; the same seed gives the same ones.

Called by the fuzz and unit tests. Objects and sets are raw documents, as a file holds them.
"""

from random import Random
from typing import cast

from tests.spec.generate_action import DEVICES, VERDICTS, random_action, random_rewrite
from tests.spec.generate_frame import Frame, random_frame
from tests.spec.generate_match import (
    GROUP_SET,
    GROUPS,
    INTERFACES,
    LIST_SET,
    MACS,
    Json,
    network,
    random_match,
    several,
    some,
)
from tests.spec.mutate import mutate

__all__ = ["Frame", "mutate", "random_frame", "random_object", "random_sets"]

API_VERSION = "xdpredirect.io/v1alpha1"
MAX_ITEMS, MAX_ENTRIES = 2048, 1024
_COUNTED = (
    *("vlanIDs", "innerVLANIDs", "sourceMACs", "destinationMACs", "sourceCIDRs"),
    *("destinationCIDRs", "sourceAddressSets", "destinationAddressSets", "sourcePorts"),
    *("destinationPorts", "dscp"),
)
_CHOICES = {
    "mode": ("Native", "Generic", "Auto"),
    "frags": ("Auto", "Required", "Disabled"),
    "protect": ("Node", "Link", "None"),
    "prepare": ("Report", "Apply"),
    "state": ("Active", "Paused", "Detached"),
}


def random_object(rng: Random, crowded: bool = False) -> Json:
    """A valid XdpRedirect that names only sets of `random_sets`. It has 1-8 rules in 85 of 100
    cases, up to 32 in 12 and up to 128 in 3; `crowded` ones are spread evenly over the powers of
    two up to 128."""
    spec: Json = {
        "nodeSelector": _node_selector(rng),
        "interfaces": [_term(rng) for _ in range(rng.randint(1, 3))],
        "rules": _rules(rng, int(129 ** rng.random()) if crowded else _count(rng)),
    }
    for name, words in _CHOICES.items():
        if rng.random() < 0.4:
            spec[name] = rng.choice(words)
    if rng.random() < 0.4:
        spec["priority"] = rng.choice((0, 500, 1000, rng.randint(0, 1000)))
    if rng.random() < 0.5:
        spec["devices"] = [_named_device(rng, name) for name in some(rng, DEVICES)]
    return {
        "apiVersion": API_VERSION,
        "kind": "XdpRedirect",
        "metadata": {"name": f"object-{rng.randrange(1000)}"},
        "spec": spec,
    }


def random_sets(rng: Random) -> tuple[Json, ...]:
    """The XdpAddressSets that random objects name: lists, and one with the groups of tables."""
    lists: list[tuple[str, Json]] = [(name, {"cidrs": _prefixes(rng)}) for name in LIST_SET]
    # No network is in two groups: which of them counts then is nobody's promise.
    dealt = [each for _ in GROUPS for each in _prefixes(rng)]
    dealt = sorted({_bare(each): each for each in dealt}.values())
    shares = [dealt[index :: len(GROUPS)] for index in range(len(GROUPS))]
    named = zip(GROUPS, shares, strict=True)
    groups: Json = {"groups": [{"name": name, "cidrs": cidrs} for name, cidrs in named if cidrs]}
    return tuple(
        {
            "apiVersion": API_VERSION,
            "kind": "XdpAddressSet",
            "metadata": {"name": name},
            "spec": spec,
        }
        for name, spec in [*lists, (GROUP_SET, groups)]
    )


def _prefixes(rng: Random) -> list[str]:
    """Different networks, some of those with one address written without a length."""
    found = set(several(rng, lambda: network(rng, rng.choice(("IPv4", "IPv6"))), 300))
    return [_bare(text) if rng.random() < 0.5 else text for text in sorted(found)]


def _bare(text: str) -> str:
    return text.removesuffix("/128" if ":" in text else "/32")


def _count(rng: Random) -> int:
    drawn = rng.random()
    least, most = (1, 8) if drawn < 0.85 else (9, 32) if drawn < 0.97 else (33, 128)
    return rng.randint(least, most)


def _rules(rng: Random, count: int) -> list[Json]:
    rules = [_rule(rng, index) for index in range(count)]
    while _items(rules) > MAX_ITEMS or _entries(rules) > MAX_ENTRIES:
        rules.pop()
    if rng.random() < 0.3:
        rules[-1]["match"] = {"all": True}
    rng.shuffle(names := [rule["name"] for rule in rules])
    return [{**rule, "name": name} for rule, name in zip(rules, names, strict=True)]


def _rule(rng: Random, index: int) -> Json:
    action = random_action(rng)
    match = random_match(rng)
    if action["type"] not in VERDICTS and rng.random() < 0.05:
        match, action["onMiss"] = {"all": True}, "Continue"
    return {"name": f"rule-{index}", "match": match, "action": action}


def _items(rules: list[Json]) -> int:
    matches = [cast("dict[str, list[object]]", rule["match"]) for rule in rules]
    return sum(len(match.get(name, ())) for match in matches for name in _COUNTED)


def _entries(rules: list[Json]) -> int:
    actions = [cast("dict[str, dict[str, list[object]]]", rule["action"]) for rule in rules]
    tables = [action.get(name) for action in actions for name in ("deviceTable", "cpuTable")]
    return sum(len(table["entries"]) for table in tables if table)


def _node_selector(rng: Random) -> Json:
    selector: Json = {}
    if rng.random() < 0.3:
        selector["matchLabels"] = {"example.com/role": rng.choice(("edge", ""))}
    if rng.random() < 0.2:
        operator = rng.choice(("In", "NotIn", "Exists", "DoesNotExist"))
        values = {"values": ["a", "b"]} if operator.endswith("In") else {}
        selector["matchExpressions"] = [{"key": "zone", "operator": operator, **values}]
    return selector


def _term(rng: Random) -> Json:
    fields: Json = {
        "names": some(rng, (*INTERFACES, "eth*", "ens1f?np*")),
        "drivers": some(rng, ("veth", "ice", "mlx5_core")),
        "pciAddresses": ["0000:3b:00.0"],
        "macAddresses": some(rng, MACS),
    }
    term = {name: fields[name] for name in some(rng, tuple(fields), 2)}
    return {**term, "excludeNames": ["eth9*"]} if rng.random() < 0.2 else term


def _named_device(rng: Random, name: str) -> Json:
    device: Json = {"name": name}
    if rng.random() < 0.6:
        device["select"] = [_term(rng) for _ in range(rng.randint(1, 2))]
    return {**device, "rewrite": random_rewrite(rng)} if rng.random() < 0.4 else device
