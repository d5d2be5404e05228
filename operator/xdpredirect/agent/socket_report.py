"""AF_XDP sockets in a report: who has which, and why nobody can have one. Pure.

Called by `agent.broker`, `agent.handed` and `agent.machine`.
"""

from collections.abc import Iterable, Mapping

from xdpredirect.agent.desired import Desired
from xdpredirect.agent.report import Finding, Report, SocketReport, SocketState
from xdpredirect.api.action import Sockets
from xdpredirect.xsk.grants import CopyMode
from xdpredirect.xsk.holding import Holding
from xdpredirect.xsk.uapi import Statistics

_NOT_HANDED_OUT = "SocketsNotHandedOut"
_NOBODY = "Nobody can take an AF_XDP socket: "
_NOTHING = Statistics(0, 0, 0, 0, 0, 0)


def by_object(holdings: Iterable[Holding]) -> Mapping[str, tuple[SocketReport, ...]]:
    """By object; a socket of several rules comes once for each."""
    found: dict[str, tuple[SocketReport, ...]] = {}
    for holding in holdings:
        for name, rule in holding.rules:
            found[name] = (*found.get(name, ()), _report(holding, rule))
    return found


def _report(holding: Holding, rule: str) -> SocketReport:
    counted = holding.statistics or _NOTHING
    how = (holding.zero_copy, holding.multi_buffer)
    return SocketReport(
        rule=rule,
        interface=holding.interface,
        queue=holding.queue,
        state=SocketState.RELEASING if holding.releasing else SocketState.HELD,
        pid=holding.peer.pid,
        user=holding.peer.uid,
        pod=holding.peer.pod,
        mode=CopyMode.ZERO_COPY if holding.zero_copy else CopyMode.COPY,
        ring_full=counted.rx_ring_full,
        fill_ring_empty=counted.for_want_of_memory(*how),
        dropped=counted.dropped_otherwise(*how),
    )


def not_handed_out(desired: Desired, problem: str) -> list[Finding]:
    """A finding for each object with rules of type Sockets, when there is a problem."""
    if not problem:
        return []
    objects = {
        placed.name
        for item in desired.interfaces.values()
        for placed in item.wanted.objects
        if any(isinstance(rule.rule.action, Sockets) for rule in placed.rules)
    }
    message = f"{_NOBODY}{problem}"
    return [Finding(object=o, reason=_NOT_HANDED_OUT, message=message) for o in sorted(objects)]


def problem_in(report: Report) -> str:
    """The problem that `not_handed_out` has told of; empty without one."""
    found = (f for item in report.objects for f in item.findings if f.reason == _NOT_HANDED_OUT)
    return next((f.message.removeprefix(_NOBODY) for f in found), "")
