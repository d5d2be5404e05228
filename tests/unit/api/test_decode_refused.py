"""What the decoder refuses without a schema, in one line for each problem."""

from typing import Any

import pytest

from tests.unit.api.changes import changed, example
from xdpredirect.api.decode import decode_redirect
from xdpredirect.errors import InvalidInput

MATCH = "/spec/rules/0/match"


@pytest.mark.parametrize(
    ("at", "value", "line"),
    [
        (MATCH, {}, "spec.rules[0].match: must not be empty; write {all: true} for every frame"),
        (
            MATCH + "/sourceCIDRs",
            [],
            "spec.rules[0].match.sourceCIDRs: must not be empty; add an item, or remove the field",
        ),
        (
            MATCH,
            {"all": True, "dscp": [1]},
            "spec.rules[0].match: all stands alone; remove it, or remove the other fields",
        ),
        (
            MATCH,
            {"dscp": [True]},
            "spec.rules[0].match.dscp[0]: must be an integer, not true",
        ),
        (
            MATCH,
            {"tcpFlags": {"set": ["SYN"], "unset": ["SYN"]}},
            "spec.rules[0].match.tcpFlags: SYN cannot be set and unset; remove one of the two",
        ),
        (
            MATCH,
            {"rxQueues": "5-2"},
            "spec.rules[0].match.rxQueues: the range 5-2 runs downwards; write 2-5",
        ),
        (
            MATCH,
            {"interfaces": None},
            "spec.rules[0].match.interfaces: must be a list, not null",
        ),
        (
            "/spec/rules/0/action",
            {"type": "Tunnel"},
            (
                "spec.rules[0].action.type: must be Pass, Drop, TX, Device, DeviceGroup, "
                'DeviceTable, Broadcast, CPUs, CPUTable, Sockets or Route, not "Tunnel"'
            ),
        ),
        ("/spec/nodeSelector", ..., "spec.nodeSelector: is missing; add it"),
        ("/spec/quota", 1, "spec.quota: unknown field"),
        ("/metadata/generation", "1", 'metadata.generation: must be an integer, not "1"'),
        ("/kind", "Pod", 'kind: must be XdpRedirect, not "Pod"'),
    ],
)
def test_refused(at: str, value: Any, line: str) -> None:
    change = {"at": at, "remove": True} if value is ... else {"at": at, "set": value}
    with pytest.raises(InvalidInput) as refused:
        decode_redirect(changed(example(), change))
    (found,) = refused.value.problems
    assert found.startswith(line)


def test_match_and_action_of_a_rule_are_both_judged() -> None:
    document = changed(example(), {"at": "/spec/rules/0/match", "set": {"rxQueues": "5-2"}})
    document = changed(document, {"at": "/spec/rules/0/action/type", "set": "Tunnel"})
    document = changed(document, {"at": "/spec/rules/1/match", "set": {}})
    with pytest.raises(InvalidInput) as refused:
        decode_redirect(document)
    assert [line.split(": ")[0] for line in refused.value.problems] == [
        "spec.rules[0].match.rxQueues",
        "spec.rules[0].action.type",
        "spec.rules[1].match",
    ]
