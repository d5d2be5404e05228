"""Lost frames as a table, and below it why and what to do. Called by `cli.tables`.

Builds rich renderables; prints nothing.
"""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from xdpredirect.agent.report import Loss, Report
from xdpredirect.cli.figures import count
from xdpredirect.cli.shapes import heading, make_table, with_commands

MOST = 20
"""Causes that are shown; `-o json` has all."""
_FOREIGN = "(not ours)"
_SHARED = "(several)"


def loss_parts(report: Report, width: int) -> list[RenderableType]:
    """Heading, table and hints; nothing when nothing was lost. `width` counts columns."""
    losses = [*(loss for found in report.objects for loss in found.losses), *report.shared]
    losses.sort(key=lambda loss: -loss.packets)
    if not losses and not report.foreign:
        return []
    table = make_table(width, "REASON", "OBJECT/RULE", "FROM AND TO", ">LOST", ">PKT/S", "SINCE")
    for loss in losses[:MOST]:
        table.add_row(*_row(loss, _rule(loss)))
    for loss in report.foreign[:MOST]:
        table.add_row(*_row(loss, _FOREIGN))
    parts: list[RenderableType] = ["", heading("Losses"), table]
    left = len(losses) + len(report.foreign) - table.row_count
    if left:
        parts.append(Text(f"and {left} more: `xdpredirect status -o json`", style="quiet"))
    return [*parts, *_hints([*losses[:MOST], *report.foreign[:MOST]])]


def _row(loss: Loss, rule: str) -> tuple[Text, ...]:
    reason = Text(loss.reason, style="bad" if loss.rate else "risk")
    return (
        reason,
        Text(rule),
        Text(f"{loss.interface}→{loss.target}" if loss.target else loss.interface),
        Text(count(loss.packets)),
        Text(count(round(loss.rate)) if loss.rate >= 1 else "<1" if loss.rate else "0"),
        Text(loss.since[5:16].replace("T", " "), style="quiet"),
    )


def _rule(loss: Loss) -> str:
    if not loss.object:
        return _SHARED
    return f"{loss.object}/{loss.rule}" if loss.rule else f"{loss.object}/{_SHARED}"


def _hints(losses: Iterable[Loss]) -> list[RenderableType]:
    """Each reason once for each target, in words."""
    parts: list[RenderableType] = []
    told: set[str] = set()
    for loss in losses:
        if loss.hint in told:
            continue
        told.add(loss.hint)
        errno = f" ({loss.errno})" if loss.errno else ""
        parts.append(Text(f" ✗ {loss.reason}{errno}", style="bad"))
        parts.append(Padding(with_commands(loss.hint), (0, 0, 0, 3)))
    return parts
