"""Wrong objects and the exact lines that say so."""

import json
from typing import Any

import pytest

from tests.unit.api.changes import changed, example, table
from xdpredirect.api.load import load_text
from xdpredirect.errors import InvalidInput

CASES = table("rejected.yaml")


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_lines(case: dict[str, Any]) -> None:
    text = json.dumps(changed(example(), case))
    with pytest.raises(InvalidInput) as refused:
        load_text(text, "file.yaml")
    assert list(refused.value.problems) == [f"file.yaml: {line}" for line in case["lines"]]


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ({}, "spec: give either cidrs or groups; write cidrs: [192.0.2.0/24]"),
        (
            {"cidrs": ["10.0.0.0/8"], "groups": [{"name": "a", "cidrs": ["10.0.0.0/8"]}]},
            "spec: give either cidrs or groups; write cidrs: [192.0.2.0/24]",
        ),
        (
            {"cidrs": ["10.0.0.1/8"]},
            (
                "spec.cidrs[0]: must be an address or a network without host bits; write "
                '10.0.0.0/8, 192.0.2.1 or 2001:db8::/32, not "10.0.0.1/8"'
            ),
        ),
        (
            {"cidrs": [{"cidr": "10.0.0.0/8"}]},
            'spec.cidrs[0]: must be a string such as 192.0.2.0/24, not {"cidr": "10.0.0.0/8"}',
        ),
        (
            {"groups": [{"name": "a", "cidrs": ["::/0"]}, {"name": "a", "cidrs": ["::/1"]}]},
            "spec.groups[1]: has the same name as item 0: a; remove or rename one of the two",
        ),
        (
            {"groups": [{"name": "Tier", "cidrs": ["::/0"]}]},
            (
                "spec.groups[0].name: must be lower-case letters, digits and inner hyphens such as "
                'tier-a, not "Tier"'
            ),
        ),
        (
            {"groups": [{"name": "a"}]},
            "spec.groups[0].cidrs: is missing; write such as cidrs: [10.1.0.0/16]",
        ),
        (
            {"cidrs": ["::1"] * 50_001},
            (
                "spec.cidrs: must have at most 50000 items, not 50001; move the rest to another "
                "rule or object"
            ),
        ),
    ],
)
def test_lines_of_address_sets(spec: dict[str, Any], line: str) -> None:
    document = {
        "apiVersion": "xdpredirect.io/v1alpha1",
        "kind": "XdpAddressSet",
        "metadata": {"name": "bots"},
        "spec": spec,
    }
    with pytest.raises(InvalidInput) as refused:
        load_text(json.dumps(document), "s")
    assert refused.value.problems == (f"s: XdpAddressSet/bots: {line}",)


def test_every_problem_is_said() -> None:
    broken = example()
    broken["spec"]["mode"] = "native"
    broken["spec"]["rules"][3]["match"] = {"protocols": ["udp"]}
    broken["spec"]["rules"][4]["action"] = {"type": "CPUs"}
    with pytest.raises(InvalidInput) as refused:
        load_text(json.dumps(broken), "s")
    paths = [line.split(": ")[2] for line in refused.value.problems]
    assert paths == [
        "spec.mode",
        "spec.rules[3].match.protocols[0]",
        "spec.rules[4].action",
        "spec.rules[4].action.cpus",
    ]
