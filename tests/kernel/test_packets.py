"""Every row of the packet tables through the real program: does the rule match, as written by
hand in tests/spec/packets?

Rows with the same match share a program, so that the whole table takes seconds.
"""

from collections import defaultdict

import pytest

from tests.kernel.loaded import LOOPBACK, a_host, loaded
from tests.spec.packets import ROWS, Row
from xdpredirect.agent.host import Link
from xdpredirect.api.action import Drop
from xdpredirect.api.redirect import (
    InterfaceTerm,
    NodeSelector,
    Protect,
    RedirectSpec,
    Rule,
    XdpRedirect,
)

XDP_DROP, XDP_PASS = 1, 2


def _groups() -> list[list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in ROWS:
        if row.kernel and row.linear is None:
            key = repr((row.match, row.interface, row.alt_names, sorted(row.sets.items())))
            groups[key].append(row)
    return list(groups.values())


GROUPS = _groups()


@pytest.mark.parametrize("rows", GROUPS, ids=[rows[0].description for rows in GROUPS])
def test_the_program_agrees_with_the_table(rows: list[Row]) -> None:
    first = rows[0]
    rule = Rule(name="r", match=first.match, action=Drop())
    spec = RedirectSpec(
        node_selector=NodeSelector(),
        interfaces=(InterfaceTerm(names=("*",)),),
        rules=(rule,),
        protect=Protect.NONE,
    )
    link = Link(ifindex=1, name=first.interface, alt_names=first.alt_names, mac=bytes(6), up=True)
    host = a_host((link,))
    sets = tuple(first.sets.values())
    with loaded([XdpRedirect(name="o", spec=spec)], sets, host, first.interface) as program:
        wrong = [
            row.description
            for row in rows
            if (program.run(row.frame, rx_queue=0).verdict == XDP_DROP) is not row.expected
            and not row.rx_queue
        ]
    assert not wrong


assert LOOPBACK
