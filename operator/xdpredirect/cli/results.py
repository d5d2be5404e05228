"""What `apply`, `plan` and `delete` print at the end, and the exit code that follows.

Called by those commands.
"""

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from xdpredirect.agent.report import ObjectReport, Report
from xdpredirect.agent.store import Change
from xdpredirect.agent.verdict import verdict
from xdpredirect.cli import exits
from xdpredirect.cli.change import Result
from xdpredirect.cli.console import console, print_all, print_data
from xdpredirect.cli.figures import plural
from xdpredirect.cli.tables import findings, heading, interfaces
from xdpredirect.conditions import Truth, Verdict


def finish(result: Result, output: str, *, dry_run: bool = False, strict: bool = False) -> int:
    """Print the result and return the exit code of the command."""
    if output == "table":
        print_all(_parts(result, dry_run))
    else:
        print_data(_data(result, dry_run), output)
    for failure in result.failures:
        exits.say(f"error: {failure}")
    if result.failures:
        return exits.FAILED
    return exits.AT_RISK if strict and at_risk(result.report) else exits.DONE


def at_risk(report: Report) -> bool:
    """Whether an object is Stalled or Degraded."""
    stands = [_stand(found, report) for found in report.objects]
    return any(stand.stalled or stand.degraded for stand in stands)


def _parts(result: Result, dry_run: bool) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if result.by is None:
        parts += _actions(result.actions, dry_run)
    if dry_run:
        touched = [item for item in result.report.interfaces if item.objects]
        if touched:
            parts += [heading("Interfaces"), interfaces(touched, console().width), ""]
    reports = {found.name: found for found in result.report.objects}
    for change in result.changes:
        found = reports.get(change.key.name) if change.key.kind == "XdpRedirect" else None
        parts += _object(change, found, result.report, dry_run)
    return parts


def _actions(actions: tuple[str, ...], dry_run: bool) -> list[RenderableType]:
    if not actions:
        return [Text("unchanged: the kernel is as wanted already", style="quiet"), ""]
    title = f"Plan: {plural(len(actions), 'action')}" if dry_run else "Actions"
    width = len(str(len(actions)))
    lines: list[RenderableType] = [heading(title)]
    for number, action in enumerate(actions, 1):
        line = Text.assemble((f"{number:>{width}}  ", "quiet"), action)
        lines.append(Padding(line, (0, 0, 0, 1)))
    return [*lines, ""]


def _object(
    change: Change, found: ObjectReport | None, report: Report, dry_run: bool
) -> list[RenderableType]:
    """The line of one object, and what is to be known about it."""
    line = Text.assemble((str(change.key), "name"), f" {change.verb}")
    if dry_run:
        line.append(" (dry run)", style="quiet")
    if found is None or change.verb == "deleted":
        return [line]
    stand = _stand(found, report)
    if not found.selected:
        line.append(": not for this machine, ", style="risk")
        line.append("spec.nodeSelector does not match its labels")
        return [line]
    sign = {Truth.TRUE: ("Ready", "good"), Truth.FALSE: ("not Ready", "bad")}
    word, style = sign.get(stand.ready, ("in progress", "risk"))
    if dry_run and stand.ready is Truth.UNKNOWN:
        return [line, *findings(found.findings)]
    line.append(": ").append(word, style=style)
    if stand.ready is Truth.TRUE and stand.degraded:
        line.append(", Degraded", style="risk")
    # The words of a finding stand below the line, with the fix; its reason is enough here.
    told = any(item.reason == stand.reason for item in found.findings)
    line.append(f", {stand.reason if told else stand.message}")
    return [line, *findings(found.findings)]


def _stand(found: ObjectReport, report: Report) -> Verdict:
    return verdict(found, [item for item in report.interfaces if found.name in item.objects])


def _data(result: Result, dry_run: bool) -> dict[str, object]:
    """The result for programs."""
    reports = {found.name: found for found in result.report.objects}
    objects = []
    for change in result.changes:
        value: dict[str, object] = {
            "kind": change.key.kind,
            "name": change.key.name,
            "change": change.verb,
            "generation": change.generation,
        }
        found = reports.get(change.key.name)
        if found is not None and change.key.kind == "XdpRedirect" and change.verb != "deleted":
            value["selected"] = found.selected
            value["findings"] = [_finding(found, number) for number in range(len(found.findings))]
        objects.append(value)
    return {
        "dryRun": dry_run,
        "objects": objects,
        "actions": list(result.actions),
        "failures": list(result.failures),
    }


def _finding(found: ObjectReport, number: int) -> dict[str, object]:
    item = found.findings[number]
    return {
        "reason": item.reason,
        "severity": item.severity.value,
        "message": item.message,
        "interface": item.interface,
        "rule": item.rule,
    }
