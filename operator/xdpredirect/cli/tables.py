"""A Report as tables for a terminal of 80 columns or more.

Called by `status`, `apply` and `delete`. Builds rich renderables; prints nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from xdpredirect.agent.report import (
    Finding,
    InterfaceReport,
    ObjectReport,
    Report,
    RuleReport,
    Severity,
)
from xdpredirect.agent.status import traffic
from xdpredirect.agent.verdict import verdict
from xdpredirect.cli.figures import brief, compact, count, listed, octets
from xdpredirect.cli.loss_tables import loss_parts
from xdpredirect.cli.shapes import WIDE, heading, make_table, with_commands
from xdpredirect.cli.socket_tables import socket_parts
from xdpredirect.conditions import Truth
from xdpredirect.host import XdpMode

__all__ = ["all_findings", "findings", "heading", "interfaces", "report_parts", "with_commands"]
Rates = Mapping[tuple[str, str, str], str]
_SEVERITY = {
    Severity.STALLED: ("✗", "bad"),
    Severity.DEGRADED: ("!", "risk"),
    Severity.INFO: ("i", "info"),
}
_READY = {Truth.TRUE: ("✓", "good"), Truth.FALSE: ("✗", "bad"), Truth.UNKNOWN: ("…", "risk")}


def report_parts(report: Report, width: int, rates: Rates | None = None) -> list[RenderableType]:
    """Objects, interfaces, rules, sockets, losses and findings, each with a heading; what is empty
    is left out.

    `width` is that of the terminal in columns. `rates` are packets a second by (interface, object,
    rule); None leaves the column out.
    """
    if not report.objects and not report.interfaces:
        return [Text("No objects. Apply one: xdpredirect apply -f FILE", style="quiet")]
    parts: list[RenderableType] = [heading("Objects"), objects(report, width)]
    if report.interfaces:
        parts += ["", heading("Interfaces"), interfaces(report.interfaces, width)]
    ruled = [item for item in report.interfaces if item.rules]
    if ruled:
        parts += ["", heading("Rules"), rules(ruled, width, rates)]
    parts += socket_parts(report, width)
    parts += loss_parts(report, width)
    found = all_findings(report)
    if found:
        parts += ["", heading("Findings"), *findings(found)]
    return parts


def objects(report: Report, width: int) -> Table:
    """One row an object: how it stands, and what its rules did with frames."""
    table = make_table(
        width,
        *("NAME", "READY", ">GEN", "INTERFACES", ">REDIRECTED", ">PASSED", ">DROPPED", ">LOST"),
    )
    figure = count if width >= WIDE else brief
    for found in report.objects:
        here = [item for item in report.interfaces if found.name in item.objects]
        stand = verdict(found, here)
        sign, style = _READY[stand.ready]
        if stand.ready is Truth.TRUE and stand.degraded:
            sign, style = "!", "risk"
        sums = traffic(found, here)
        table.add_row(
            Text(found.name, style="name"),
            Text(f"{sign} {stand.reason}", style=style),
            _generation(found),
            Text(listed(_carriers(found))),
            figure(sums["redirectedPackets"]),
            figure(sums["passedPackets"]),
            figure(sums["droppedPackets"]),
            Text(figure(sums["lostPackets"]), style="bad" if sums["lostPackets"] else ""),
        )
    return table


def _generation(found: ObjectReport) -> str:
    if found.applied_generation == found.generation:
        return str(found.generation)
    return f"{found.applied_generation}→{found.generation}"


def _carriers(found: ObjectReport) -> list[str]:
    return compact((*found.interfaces, *found.conflicted, *found.failed), most=4)


def interfaces(items: Iterable[InterfaceReport], width: int) -> Table:
    """One row an interface: driver, what is attached, and frames that no rule decided about."""
    table = make_table(
        width,
        "NAME",
        "DRIVER",
        "MODE",
        "FRAGS",
        ">PROGRAM",
        ">UNMATCHED",
        ">PROTECTED",
        ">MALFORMED",
    )
    for item in items:
        words = f"{item.mode.value}, away" if item.away else item.mode.value
        mode = Text(words, style="good" if item.mode is XdpMode.NATIVE else "risk")
        if item.mode is XdpMode.NONE:
            mode = Text("none", style="bad" if item.error else "quiet")
        table.add_row(
            Text(item.name, style="name"),
            Text(item.driver or "–"),
            mode,
            "–" if item.mode is XdpMode.NONE else "yes" if item.frags else "no",
            str(item.program_id) if item.program_id else "–",
            count(item.unmatched.packets),
            count(item.protected.packets),
            count(item.malformed.packets),
        )
    return table


def rules(items: Sequence[InterfaceReport], width: int, rates: Rates | None = None) -> Table:
    """Under each interface one row a rule, in the order in which frames meet them.

    Misses and errors are columns only where there are some.
    """
    counted = [rule.counters for item in items for rule in item.rules]
    optional = {
        ">MISSES": any(counters.misses for counters in counted),
        ">ERRORS": any(counters.errors for counters in counted),
        ">PKT/S": rates is not None,
    }
    shown = [column for column, wanted in optional.items() if wanted]
    table = make_table(width, "RULE", "ACTION AND TARGETS", ">PACKETS", ">BYTES", *shown)
    for item in items:
        table.add_row(Text(item.name, style="name"))
        for rule in item.rules:
            counters = rule.counters
            last = {
                ">MISSES": Text(count(counters.misses), style="risk" if counters.misses else ""),
                ">ERRORS": Text(count(counters.errors), style="bad" if counters.errors else ""),
                ">PKT/S": Text((rates or {}).get((item.name, rule.object, rule.rule), "–")),
            }
            table.add_row(
                Text(f"  {rule.object}/{rule.rule}"),
                _action(rule),
                count(counters.packets),
                octets(counters.octets),
                *(last[column] for column in shown),
            )
    return table


def _action(rule: RuleReport) -> Text:
    text = Text(rule.action)
    if rule.targets:
        text.append(" ")
        text.append(listed(compact([t.replace(" -> ", "→") for t in rule.targets], most=3)))
    return text


def all_findings(report: Report) -> list[Finding]:
    """Of all objects, worst first; what keeps an interface from running comes as a finding too."""
    found = [finding for item in report.objects for finding in item.findings]
    known = {(finding.interface, finding.message) for finding in found}
    for item in report.interfaces:
        if item.error and (item.name, item.error) not in known:
            found.append(
                Finding(
                    object=listed(item.objects),
                    reason="ApplyFailed",
                    message=item.error,
                    severity=Severity.STALLED,
                    interface=item.name,
                )
            )
    order = list(_SEVERITY)
    return sorted(found, key=lambda item: order.index(item.severity))


def findings(found: Iterable[Finding]) -> list[RenderableType]:
    """Each finding as a line and its words below; commands in back quotes stand out. What is true
    of several objects on one interface is said once."""
    together: dict[tuple[str, str, str], list[Finding]] = {}
    for item in found:
        together.setdefault((item.reason, item.interface, item.message), []).append(item)
    parts: list[RenderableType] = []
    for items in together.values():
        first = items[0]
        sign, style = _SEVERITY[first.severity]
        names = dict.fromkeys(f"{i.object}/{i.rule}" if i.rule else i.object for i in items)
        line = Text.assemble((f" {sign} {first.reason}", style), "  ", (", ".join(names), "name"))
        if first.interface:
            line.append(f" on {first.interface}")
        parts += [line, Padding(with_commands(first.message), (0, 0, 0, 3))]
    return parts
