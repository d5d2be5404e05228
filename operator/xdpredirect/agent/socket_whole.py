"""Which rules cannot have protocol DevicePlugin, whose client gets the whole map of its rule. Pure.

An object is refused where it is applied as far as it alone can tell; here it is told what other
objects on the same interface have to do with it. Called by `agent.socket_grants` and
`agent.machine`.
"""

from collections.abc import Iterable, Iterator, Mapping

from xdpredirect.agent.desired import Desired, DesiredInterface
from xdpredirect.agent.report import Finding
from xdpredirect.api.action import Sockets
from xdpredirect.datapath.slots import RuleId
from xdpredirect.datapath.sockets import is_whole
from xdpredirect.datapath.wanted import PlacedRule


def queues_of(action: Sockets) -> frozenset[int]:
    """Its queues, one by one."""
    return frozenset(q for first, last in action.queues for q in range(first, last + 1))


def whole_map_findings(desired: Desired) -> tuple[Finding, ...]:
    """For each rule whose map nobody gets."""
    return tuple(
        Finding(
            object=name,
            reason="MapNotHandedOut",
            message=f"rule {rule} has protocol DevicePlugin and {why}",
            interface=interface,
            rule=rule,
        )
        for interface, item in sorted(desired.interfaces.items())
        for (name, rule), why in refused_maps(item).items()
    )


def refused_maps(item: DesiredInterface) -> Mapping[RuleId, str]:
    """Rules of one interface whose map nobody gets, and why."""
    rules = dict(_rules(item))
    return {
        rule: why
        for rule, placed in rules.items()
        if is_whole(placed) and (why := _problem(rule, placed, rules.items()))
    }


def _problem(rule: RuleId, placed: PlacedRule, rules: Iterable[tuple[RuleId, PlacedRule]]) -> str:
    """Empty when there is none."""
    action = placed.rule.action
    if not isinstance(action, Sockets) or len(action.pods) + len(action.users) != 1:
        return "is for one client alone; name one user, or pods by one item"
    if action.users and not placed.users:
        return "its user is not known here; write the user's number"
    for other, its in rules:
        if other == rule or not isinstance(its.rule.action, Sockets):
            continue
        name = f"rule {other[1]} of {other[0]}"
        if is_whole(its):
            return f"so has {name}, but a client asks for the one map of the interface; keep one"
        if shared := queues_of(action) & queues_of(its.rule.action):
            return f"{name} hands out queue {min(shared)} as well; a queue has one socket"
    return ""


def _rules(item: DesiredInterface) -> Iterator[tuple[RuleId, PlacedRule]]:
    for placed in item.wanted.objects:
        for rule in placed.rules:
            yield (placed.name, rule.rule.name), rule
