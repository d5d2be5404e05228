"""The operator's metrics: their names, and their values out of what the operator knows. Pure.

Called by `exporter`. No series is about one node: their number depends on the XdpRedirects alone.
docs/metrics.md tells of each.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from xdpredirect.conditions import TYPES, Truth
from xdpredirect.controller.plain import child, children, number, text
from xdpredirect.controller.view import FleetView, RedirectView
from xdpredirect.metrics.metric import Sample, counter, flags, gauge
from xdpredirect.metrics.process import PROCESS

CONDITION = gauge(
    "xdpredirect_condition",
    "Whether a condition of the XdpRedirect has this status, 1 or 0",
    *("redirect", "type", "status"),
)
NODES = gauge(
    "xdpredirect_nodes", "Nodes of the XdpRedirect that are in this state", "redirect", "state"
)
INTERFACES = gauge(
    "xdpredirect_interfaces",
    "Interfaces of the XdpRedirect that run in this mode or are another object's",
    *("redirect", "mode"),
)
PACKETS = counter(
    "xdpredirect_packets_total", "Frames that rules decided about", "redirect", "action"
)
LOST = counter(
    "xdpredirect_lost_packets_total", "Frames redirected that did not arrive", "redirect"
)
LOSSES = counter(
    "xdpredirect_loss_packets_total",
    "Frames lost by cause, the ten causes that cost most",
    *("redirect", "reason", "errno", "rule"),
)
INFO = gauge("xdpredirect_operator_info", "Version of the operator, always 1", "version")
LEADER = gauge("xdpredirect_operator_leader", "1 in the replica that acts, 0 in the others")
KNOWN = gauge("xdpredirect_operator_objects", "Objects that the operator knows", "kind")
PASSES = counter("xdpredirect_operator_passes_total", "Rounds of the operator's loop")
WRITES = counter(
    "xdpredirect_operator_writes_total", "Writes by kind and by what came of it", "kind", "result"
)
REQUESTS = counter(
    "xdpredirect_operator_api_requests_total",
    "Requests to the API server by HTTP status, `none` without an answer; kopf's not included",
    "code",
)
SILENCE = gauge(
    "xdpredirect_operator_silence_seconds",
    "Time since a thread or a watch gave a sign of life",
    "source",
)
MISSED = gauge(
    "xdpredirect_operator_missed_lists",
    "Lists in a row that told of an XdpRedirect what the watch had not",
)
CATALOGUE = (
    *(CONDITION, NODES, INTERFACES, PACKETS, LOST, LOSSES),
    *(INFO, LEADER, KNOWN, PASSES, WRITES, REQUESTS, SILENCE, MISSED),
    *PROCESS,
)
_STATES = {
    "selected": "selected",
    "updated": "updated",
    "ready": "ready",
    "failed": "failed",
    "unreachable": "unreachable",
    "withoutInterface": "without_interface",
}
_MODES = ("native", "generic", "conflicted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The process. `silences` are seconds by thread or watch, `fleet` is None while this replica
    does not lead or does not know the whole fleet yet."""

    version: str
    leader: bool
    passes: int = 0
    missed: int = 0
    writes: Iterable[tuple[str, str, int]] = ()
    requests: Mapping[str, int] = field(default_factory=dict)
    silences: Mapping[str, float] = field(default_factory=dict)
    fleet: FleetView | None = None


def samples(standing: Standing) -> Iterator[Sample]:
    """All but the process' own, which `metrics.process` reads."""
    yield INFO.at(1, standing.version)
    yield LEADER.at(float(standing.leader))
    yield PASSES.at(standing.passes)
    yield MISSED.at(standing.missed)
    yield from (WRITES.at(count, kind, result) for kind, result, count in standing.writes)
    yield from (REQUESTS.at(count, code) for code, count in sorted(standing.requests.items()))
    yield from (SILENCE.at(quiet, name) for name, quiet in sorted(standing.silences.items()))
    fleet = standing.fleet
    if fleet is None:
        return
    yield KNOWN.at(fleet.nodes, "Node")
    yield KNOWN.at(fleet.node_objects, "XdpRedirectNode")
    yield KNOWN.at(len(fleet.redirects), "XdpRedirect")
    for redirect in fleet.redirects:
        yield from _redirect(redirect)


def _redirect(known: RedirectView) -> Iterator[Sample]:
    """The same series whatever the status holds; before the first one every condition is Unknown.
    Only causes of losses come and go, at most ten of them."""
    name = known.name
    nodes, interfaces = child(known.status, "nodes"), child(known.status, "interfaces")
    found = {text(c, "type"): text(c, "status") for c in children(known.status, "conditions")}
    for kind in TYPES:
        yield from flags(CONDITION, (name, kind), Truth, found.get(kind, Truth.UNKNOWN))
    for field_name, state in _STATES.items():
        yield NODES.at(number(nodes, field_name), name, state)
    for mode in _MODES:
        yield INTERFACES.at(number(interfaces, mode), name, mode)
    for action, packets in known.packets.items():
        yield PACKETS.at(packets, name, action)
    yield LOST.at(known.lost, name)
    for cause, packets in known.losses:
        yield LOSSES.at(packets, name, cause.reason, cause.errno, cause.rule)
