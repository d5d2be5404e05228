"""Code that many rules share: a BPF jump reaches 32,767 instructions, and 128 copies are longer.

Called by `datapath.actions`. A flow hash is then found once before the rules, and frames for the
routing table go to one place at the end of the program (bpf/hash.h, bpf/route.h).
"""

from types import UnionType

from xdpredirect.api.action import Route
from xdpredirect.datapath.builder import Builder
from xdpredirect.datapath.fields import ROUTE

COPIES = 16
"""Rules that may each have the code of a spread or a route."""


def many(builder: Builder, kind: UnionType | type) -> bool:
    """Whether more rules than `COPIES` of the interface have an action of that kind."""
    rules = (rule for placed in builder.wanted.objects for rule in placed.rules)
    return sum(isinstance(each.rule.action, kind) for each in rules) > COPIES


def route(builder: Builder, table: int | None, slot: int, miss: str) -> tuple[list[str], list[str]]:
    """Lines of a Route, and its target in words."""
    builder.use(ROUTE)
    builder.define("ROUTES", 1)
    builder.place("route")
    words = [f"table {table}" if table else "main routing"]
    if many(builder, Route):
        builder.define("ROUTE_ONCE", 1)
    return [f"ROUTE({slot}, {table or 0}, {miss})"], words
