"""Who holds which AF_XDP socket, as a table. Called by `cli.tables`.

Builds rich renderables; prints nothing.
"""

from rich.console import RenderableType
from rich.text import Text

from xdpredirect.agent.report import Report, SocketReport, SocketState
from xdpredirect.cli.figures import brief, count
from xdpredirect.cli.shapes import WIDE, heading, make_table


def socket_parts(report: Report, width: int) -> list[RenderableType]:
    """Heading and table; nothing when nothing is handed out. `width` counts columns."""
    rows = [(found.name, one) for found in report.objects for one in found.sockets]
    if not rows:
        return []
    table = make_table(
        width,
        *("OBJECT/RULE", "QUEUE", "MODE", "HOLDER"),
        *(">RING FULL", ">NO BUFFER", ">DROPPED"),
    )
    figure = count if width >= WIDE else brief
    for name, one in rows:
        held = one.state is SocketState.HELD
        table.add_row(
            Text(f"{name}/{one.rule}"),
            Text(f"{one.interface} {one.queue}", style="name"),
            # Nothing comes into the memory of one that is to be closed.
            Text(one.mode.value) if held else Text(one.state.value, style="risk"),
            _holder(one),
            *(
                Text(figure(number), style="risk" if number else "")
                for number in (one.ring_full, one.fill_ring_empty, one.dropped)
            ),
        )
    return ["", heading("Sockets"), table]


def _holder(one: SocketReport) -> Text:
    where = f", pod {one.pod}" if one.pod else ""
    return Text(f"pid {one.pid}, user {one.user}{where}")
