"""The agent's metrics: their names, and their values out of its last report. Pure.

Called by `agent.exporter`. The number of series depends on interfaces and rules of this machine;
of the causes of losses there are LIMIT at most. docs/metrics.md tells of each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from xdpredirect.agent.passes import Passes
from xdpredirect.agent.report import InterfaceReport, Loss, ObjectReport, Report, Severity
from xdpredirect.host import XdpMode
from xdpredirect.metrics.metric import Sample, counter, flags, gauge
from xdpredirect.metrics.process import PROCESS

LIMIT = 100
"""Causes of losses that have a series of their own: those that cost most."""
_RULE = ("interface", "redirect", "rule", "action")
RULE_PACKETS = counter("xdpredirect_agent_rule_packets_total", "Frames that the rule took", *_RULE)
RULE_BYTES = counter(
    "xdpredirect_agent_rule_bytes_total", "Bytes of the frames that the rule took", *_RULE
)
RULE_MISSES = counter(
    "xdpredirect_agent_rule_missed_packets_total",
    "Frames of the rule for which its table had no entry, so that onMiss decided",
    *_RULE,
)
RULE_ERRORS = counter(
    "xdpredirect_agent_rule_failed_packets_total",
    "Frames of the rule that could not be rewritten and were dropped for it",
    *_RULE,
)
OTHER_PACKETS = counter(
    "xdpredirect_agent_interface_packets_total",
    "Frames that no rule took, that `protect` kept from the rules, or that end inside a header",
    *("interface", "verdict"),
)
OTHER_BYTES = counter(
    "xdpredirect_agent_interface_bytes_total", "Bytes of these frames", "interface", "verdict"
)
MODE = gauge(
    "xdpredirect_agent_interface_mode",
    "1 for the mode in which our program runs on the interface, 0 for the others",
    *("interface", "mode"),
)
BROKEN = gauge(
    "xdpredirect_agent_interface_failed",
    "1 where the program that is wanted does not run on the interface",
    "interface",
)
LOST = counter(
    "xdpredirect_agent_lost_packets_total",
    "Frames redirected that did not arrive; an empty redirect where several share the target",
    "redirect",
)
LOSSES = counter(
    "xdpredirect_agent_loss_packets_total",
    "Frames lost by cause, with the interface they came from and the target they were for",
    *("redirect", "rule", "reason", "errno", "interface", "target"),
)
FINDINGS = gauge(
    "xdpredirect_agent_findings", "What there is to know about the object", "redirect", "severity"
)
INFO = gauge("xdpredirect_agent_info", "Version of the agent, always 1", "version")
PASSES = counter("xdpredirect_agent_passes_total", "Passes over the machine by result", "result")
PASS_SECONDS = counter("xdpredirect_agent_pass_seconds_total", "Time that passes took")
LAST_PASS = gauge(
    "xdpredirect_agent_last_pass_timestamp_seconds",
    "When the last complete pass ended, which all counters of frames are of",
)
LOADS = counter("xdpredirect_agent_program_loads_total", "Programs loaded into the kernel")
ATTACHES = counter(
    "xdpredirect_agent_program_attaches_total", "Programs attached to an interface or swapped"
)
FAILURES = counter(
    "xdpredirect_agent_action_failures_total", "Interfaces on which a pass failed to act"
)
COMPILATIONS = counter(
    "xdpredirect_agent_compilations_total", "Programs compiled, those from the cache not included"
)
COMPILE_SECONDS = counter("xdpredirect_agent_compile_seconds_total", "Time that compiling took")
CATALOGUE = (
    *(RULE_PACKETS, RULE_BYTES, RULE_MISSES, RULE_ERRORS, OTHER_PACKETS, OTHER_BYTES),
    *(MODE, BROKEN, LOST, LOSSES, FINDINGS),
    *(INFO, PASSES, PASS_SECONDS, LAST_PASS, LOADS, ATTACHES, FAILURES),
    *(COMPILATIONS, COMPILE_SECONDS),
    *PROCESS,
)
_MODES = {
    XdpMode.NONE: "none",
    XdpMode.NATIVE: "native",
    XdpMode.GENERIC: "generic",
    XdpMode.OFFLOAD: "offload",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The agent. `compilations` took `compile_seconds`."""

    version: str
    passes: Passes
    compilations: int = 0
    compile_seconds: float = 0.0


def samples(standing: Standing) -> Iterator[Sample]:
    """All but the process' own, which `metrics.process` reads."""
    passes = standing.passes
    yield INFO.at(1, standing.version)
    yield PASSES.at(passes.made, "done")
    yield PASSES.at(passes.failed, "failed")
    yield PASS_SECONDS.at(passes.seconds)
    yield LAST_PASS.at(passes.last)
    yield LOADS.at(passes.loads)
    yield ATTACHES.at(passes.attaches)
    yield FAILURES.at(passes.failures)
    yield COMPILATIONS.at(standing.compilations)
    yield COMPILE_SECONDS.at(standing.compile_seconds)
    if passes.report is not None:
        yield from _report(passes.report)


def _report(report: Report) -> Iterator[Sample]:
    for interface in report.interfaces:
        yield from _interface(interface)
    for found in report.objects:
        yield from _object(found)
    yield LOST.at(sum(loss.packets for loss in report.shared), "")
    ours = [*report.shared, *(loss for found in report.objects for loss in found.losses)]
    for loss in sorted(ours, key=_by_cost)[:LIMIT]:
        where = (loss.interface, loss.target)
        yield LOSSES.at(loss.packets, loss.object, loss.rule, loss.reason, loss.errno, *where)


def _by_cost(loss: Loss) -> tuple[int, tuple[str, ...]]:
    named = (loss.object, loss.rule, loss.reason, loss.errno, loss.interface, loss.target)
    return -loss.packets, named


def _interface(item: InterfaceReport) -> Iterator[Sample]:
    yield from flags(MODE, (item.name,), _MODES.values(), _MODES[item.mode])
    yield BROKEN.at(float(bool(item.error)), item.name)
    for verdict, counters in (
        ("unmatched", item.unmatched),
        ("protected", item.protected),
        ("malformed", item.malformed),
    ):
        yield OTHER_PACKETS.at(counters.packets, item.name, verdict)
        yield OTHER_BYTES.at(counters.octets, item.name, verdict)
    for rule in item.rules:
        labels = (item.name, rule.object, rule.rule, rule.action)
        yield RULE_PACKETS.at(rule.counters.packets, *labels)
        yield RULE_BYTES.at(rule.counters.octets, *labels)
        yield RULE_MISSES.at(rule.counters.misses, *labels)
        yield RULE_ERRORS.at(rule.counters.errors, *labels)


def _object(found: ObjectReport) -> Iterator[Sample]:
    yield LOST.at(sum(loss.packets for loss in found.losses), found.name)
    for severity in Severity:
        count = sum(finding.severity is severity for finding in found.findings)
        yield FINDINGS.at(count, found.name, severity)
