"""Which rules cannot have protocol DevicePlugin, whose client gets the whole map of its rule. Pure.

An object is refused where it is applied as far as it alone can tell; here it is told what other
objects on the same interface have to do with it. Called by `agent.socket_grants` and
`agent.machine`.
"""

from collections.abc import Iterable, Iterator, Mapping

from xdpredirect.agent.desired import Desired, DesiredInterface
from xdpredirect.agent.report import Finding, Severity
from xdpredirect.api.action import Sockets
from xdpredirect.datapath.slots import RuleId
from xdpredirect.datapath.sockets import is_whole
from xdpredirect.datapath.wanted import PlacedRule


def queues_of(action: Sockets) -> frozenset[int]:
    """Its queues, one by one."""
    return frozenset(q for first, last in action.queues for q in range(first, last + 1))


_WAITS_HERE = (
    "is for the pod that {name} is moved to, and {name} is on the node: give it to a pod, by a CNI"
)
_WAITS_AWAY = "has not been asked for by a pod of its clients that has {name} in its network"


def whole_map_findings(desired: Desired) -> tuple[Finding, ...]:
    """For each rule whose map nobody gets, or no pod yet."""
    return (*_refused(desired), *_waiting(desired))


def _waiting(desired: Desired) -> Iterator[Finding]:
    for interface, item in sorted(desired.interfaces.items()):
        refused = refused_maps(item)
        words = _WAITS_AWAY if item.wanted.link.away else _WAITS_HERE
        for (name, rule), placed in _rules(item):
            action = placed.rule.action
            if (name, rule) in refused or placed.pod or not is_whole(placed):
                continue
            if isinstance(action, Sockets) and action.pods:
                yield Finding(
                    object=name,
                    reason="MapWaitsForPod",
                    message=f"the map of rule {rule} {words.format(name=interface)}",
                    severity=Severity.INFO,
                    interface=interface,
                    rule=rule,
                )


def _refused(desired: Desired) -> tuple[Finding, ...]:
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
