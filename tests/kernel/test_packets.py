"""Every row of the packet tables through the real program: does the rule match, as written by
hand in tests/spec/packets?

One program holds many matches: rule i also asks for receive queue i, and a frame is run as if it
arrived on the queue of its row's rule. That is what makes hundreds of rows take seconds.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.kernel.lab import Lab
from tests.kernel.loaded import Loaded, a_host, loaded
from tests.spec.packets import PROTECT_ROWS, ROWS, Row
from tests.spec.packets.protect import LOCAL_ADDRESSES
from xdpredirect.api.action import Drop
from xdpredirect.api.match import Match, Range
from xdpredirect.api.redirect import (
    InterfaceTerm,
    NodeSelector,
    Protect,
    RedirectSpec,
    Rule,
    XdpRedirect,
)
from xdpredirect.host import Link, XdpFeatures

XDP_DROP = 1
QUEUES = 64
FIRST_BUFFER = 3500
"""Octets that a test run surely leaves in the first buffer (a page less head and tail room)."""


def _object(rules: tuple[Rule, ...], protect: Protect = Protect.NONE) -> XdpRedirect:
    spec = RedirectSpec(
        node_selector=NodeSelector(),
        interfaces=(InterfaceTerm(names=("*",)),),
        rules=rules,
        protect=protect,
    )
    return XdpRedirect(name="o", spec=spec)


def _batches() -> list[list[list[Row]]]:
    """Rows with one match in a group, groups that fit into one program in a batch."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in ROWS:
        if row.kernel:
            alone = repr(row.match) if row.match.rx_queues else ""
            program = repr((row.interface, row.alt_names, sorted(row.sets.items()), alone))
            groups[program, repr(row.match)].append(row)
    programs: dict[str, list[list[Row]]] = defaultdict(list)
    for (program, _), rows in groups.items():
        programs[program].append(rows)
    return [
        batch[start : start + QUEUES]
        for batch in programs.values()
        for start in range(0, len(batch), QUEUES)
    ]


BATCHES = _batches()


@pytest.fixture
def ifindex(lab: Lab) -> Iterator[int]:
    """A device with as many receive queues as a batch has rules; the test runs beside it."""
    host = lab.host("dut")
    lab.host("peer")
    port, _ = lab.veth(("dut", "p1"), ("peer", "p2"), queues=QUEUES)
    host.ethtool("-K", "p1", "gro", "on")
    with host.enter():
        yield port.ifindex


def _given(row: Row) -> bytes:
    """What a test run is given. It cannot cut a short frame in two, but headers are only read in
    the first buffer: a frame that ends there says the same of everything but its length."""
    if row.linear is None or row.linear >= FIRST_BUFFER:
        return row.frame
    assert not row.match.lengths
    return row.frame[: row.linear]


def _drops(program: Loaded, row: Row, queue: int, ifindex: int) -> bool:
    return program.run(_given(row), rx_queue=queue, ifindex=ifindex).verdict == XDP_DROP


@pytest.mark.parametrize("batch", BATCHES, ids=[batch[0][0].description for batch in BATCHES])
def test_the_program_agrees_with_the_table(batch: list[list[Row]], ifindex: int) -> None:
    first = batch[0][0]
    own_queues = bool(first.match.rx_queues)
    rules = tuple(
        Rule(
            name=f"r{number}",
            match=rows[0].match if own_queues else _on_queue(rows[0].match, number),
            action=Drop(),
        )
        for number, rows in enumerate(batch)
    )
    link = Link(ifindex=ifindex, name=first.interface, alt_names=first.alt_names, mac=bytes(6))
    sets = tuple(first.sets.values())
    with loaded([_object(rules)], sets, a_host((link,)), first.interface) as program:
        wrong = [
            row.description
            for number, rows in enumerate(batch)
            for row in rows
            if _drops(program, row, row.rx_queue if own_queues else number, ifindex)
            is not row.expected
        ]
    assert not wrong


def _on_queue(match: Match, queue: int) -> Match:
    """`all` beside another field is for people an error; here it stands for no other question."""
    return replace(match, all=False, rx_queues=(Range(queue, queue),))


@pytest.mark.parametrize("many", [False, True], ids=["constants", "hash map"])
@pytest.mark.parametrize("protect", list(Protect))
def test_protected_frames_pass_a_catch_all_drop(protect: Protect, many: bool) -> None:
    """Few local addresses are constants in the program, more than eight a hash map."""
    others = tuple(bytes((10, 99, 0, n)) for n in range(1, 20)) if many else ()
    link = Link(
        ifindex=1,
        name="lo",
        mac=bytes(6),
        up=True,
        addresses=(*LOCAL_ADDRESSES, *others),
        features=XdpFeatures(127),
    )
    rule = Rule(name="all", match=Match(all=True), action=Drop())
    with loaded([_object((rule,), protect)], (), a_host((link,))) as program:
        wrong = []
        for row in PROTECT_ROWS:
            expected = {Protect.NODE: row.node, Protect.LINK: row.link, Protect.NONE: False}
            frame = row.frame if row.linear is None else row.frame[: row.linear]
            if len(frame) >= 14:
                passed = program.run(frame).verdict != XDP_DROP
                wrong += [row.description] if passed is not expected[protect] else []
    assert not wrong
