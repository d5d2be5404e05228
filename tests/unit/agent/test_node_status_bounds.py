"""The status of a node object fits its schema, and never becomes too large."""

import jsonschema
import pytest

from tests.unit.agent.test_node_status import GONE, made
from tests.unit.cli.samples import busy, finding, interface, loss, rule, socket, thing
from xdpredirect.agent.report import Severity, SocketState
from xdpredirect.api.node_size import STATUS_LIMIT, stored_size


def test_a_busy_machine_fits_the_schema(validator: jsonschema.Draft202012Validator) -> None:
    report = busy()
    status = made(*report.objects, interfaces=report.interfaces, lingering=(GONE,))
    validator.validate(status)


def test_sockets_fit_the_schema(validator: jsonschema.Draft202012Validator) -> None:
    many = tuple(socket(queue, lost=2**60) for queue in range(100))
    status = made(thing(sockets=(socket(0, SocketState.RELEASING), *many)))
    (entry,) = status["redirects"]
    assert [one["state"] for one in entry["sockets"]] == ["Releasing", *["Held"] * 63]
    assert entry["sockets"][0]["droppedPackets"] == 0
    validator.validate(status)


@pytest.mark.parametrize(
    ("objects", "rules", "losses", "words"),
    [(1, 128, 12, 1500), (128, 128, 0, 10), (128, 2, 12, 300), (128, 2, 12, 1500)],
)
def test_it_never_becomes_too_large(
    objects: int, rules: int, losses: int, words: int, validator: jsonschema.Draft202012Validator
) -> None:
    names = [f"object-{number:03}" for number in range(objects)]
    many = tuple(
        rule(name, f"rule-{number}", "Device", ("eth2",), 2**60, 2**60, 2**60, 2**60)
        for name in names
        for number in range(rules if name == names[0] else 2)
    )
    carried = interface("ens1f0", objects=tuple(names), rules=many, error="e" * words)
    things = [
        thing(
            name,
            losses=tuple(loss("TargetDown", 2**60, hint="h" * words) for _ in range(losses)),
            findings=(finding(Severity.STALLED, message="m" * words),),
            sockets=tuple(socket(queue) for queue in range(100)),
        )
        for name in names
    ]
    status = made(*things, interfaces=(carried,))
    assert stored_size(status) <= STATUS_LIMIT
    validator.validate(status)
