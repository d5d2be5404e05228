"""One interval of the objects of this machine, as a person reads it. Called by `cli.monitor`."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from xdpredirect.agent.rates import (
    InterfaceRates,
    LossRate,
    ObjectInterval,
    RuleRates,
    Traffic,
    per_second,
)
from xdpredirect.cli.figures import compact, count, listed, octets
from xdpredirect.cli.shapes import heading, with_commands

WIDE = 110
"""Columns from which on actions and targets have room beside the rates."""
_EIGHTHS = "▁▂▃▄▅▆▇█"
_CELLS = 8
_NO_FRAMES = "·"


def interval_parts(interval: ObjectInterval, width: int) -> list[RenderableType]:
    """A line of time, the rates of every interface and rule, and what was lost with its hint.

    `width` is that of the terminal in columns.
    """
    parts: list[RenderableType] = [time_line(interval.time, interval.seconds), ""]
    if not interval.interfaces:
        return [*parts, Text("No object runs on an interface of this machine.", style="quiet")]
    parts.append(_rates(interval, width))
    if interval.losses:
        parts += ["", heading("Lost"), *_losses(interval)]
    return parts


def time_line(time: str, seconds: float) -> Text:
    """When the interval ended and how long it was."""
    return Text(f"{time}  over {seconds:.1f} s", style="quiet")


def rate_table(*columns: str) -> Table:
    """Columns that start with `>` hold numbers, which are never cut or wrapped."""
    table = Table(box=None, pad_edge=False, header_style="head", padding=(0, 1, 0, 0))
    for column in columns:
        title = column.removeprefix(">")
        right = column.startswith(">")
        table.add_column(
            title,
            justify="right" if right else "left",
            no_wrap=right or title == "CPUS",
            min_width=len(title),
            overflow="fold",
        )
    return table


def figure(packets: int, seconds: float, style: str = "") -> Text:
    """Frames a second; nothing at all is quiet, so that the eye finds what moves."""
    return Text(count(per_second(packets, seconds)), style=style if packets else "quiet")


def _rates(interval: ObjectInterval, width: int) -> Table:
    extra = ("ACTION AND TARGETS",) if width >= WIDE else ()
    numbers = (">FRAMES/S", ">REDIRECTED/S", ">LOST/S", ">BIT/S", "CPUS")
    table = rate_table("INTERFACE AND RULE", *extra, *numbers)
    for item in interval.interfaces:
        for cells in _interface(item, interval.seconds):
            first, action, *rest = cells
            table.add_row(first, *((action,) if extra else ()), *rest)
    return table


def _interface(item: InterfaceRates, seconds: float) -> Iterator[list[Text]]:
    """Rows of one interface: the sums, each rule, and the frames that no rule took."""
    seen = item.received
    redirected = sum(rule.redirected for rule in item.rules)
    yield [
        Text.assemble((item.name, "name"), (f" {item.mode.lower()}", "quiet")),
        Text(""),
        figure(seen.packets, seconds, "name"),
        figure(redirected, seconds, "name"),
        figure(item.lost, seconds, "bad"),
        _bits(seen.octets, seconds),
        Text(""),
    ]
    for rule in item.rules:
        yield from _rule(rule, seconds)
    yield _other("unmatched", item.unmatched, seconds)
    for words, traffic in (("protected", item.protected), ("malformed", item.malformed)):
        if traffic.packets:
            yield _other(words, traffic, seconds)


def _rule(rule: RuleRates, seconds: float) -> Iterator[list[Text]]:
    targets = listed(compact([t.replace(" -> ", "→") for t in rule.targets], most=3), none="")
    yield [
        Text(f"  {rule.object}/{rule.rule}"),
        Text(f"{rule.action} {targets}".rstrip()),
        figure(rule.matched, seconds),
        figure(rule.redirected, seconds),
        figure(rule.lost, seconds, "bad"),
        _bits(rule.octets, seconds),
        cpu_bars(rule.cpus),
    ]
    if rule.misses:
        yield [
            Text("    no entry", style="risk"),
            Text(""),
            figure(rule.misses, seconds, "risk"),
        ]


def _other(words: str, traffic: Traffic, seconds: float) -> list[Text]:
    return [
        Text(f"  {words}", style="quiet"),
        Text(""),
        figure(traffic.packets, seconds),
        Text(""),
        Text(""),
        _bits(traffic.octets, seconds),
        Text(""),
    ]


def _bits(size: int, seconds: float) -> Text:
    """Bits a second: three digits that count and a decimal prefix, such as `4.33 G`."""
    bits = 8 * per_second(size, seconds)
    return Text(octets(bits).removesuffix("B").rstrip(), style="" if bits else "quiet")


def cpu_bars(packets: tuple[int, ...]) -> Text:
    """A bar for each CPU, as high as its part of the busiest one's frames, and the share of that
    one in all of them. More CPUs than cells share bars, neighbour with neighbour."""
    total = sum(packets)
    if not total:
        return Text(_NO_FRAMES * min(len(packets), _CELLS), style="quiet")
    each = -(-len(packets) // _CELLS)
    cells = [sum(packets[start : start + each]) for start in range(0, len(packets), each)]
    top = max(cells)
    text = Text()
    for cell in cells:
        height = -(-cell * len(_EIGHTHS) // top)
        text.append(_EIGHTHS[height - 1] if cell else _NO_FRAMES, style="info" if cell else "quiet")
    return text.append(f" {round(100 * max(packets) / total)}%", style="quiet")


def _losses(interval: ObjectInterval) -> Iterator[RenderableType]:
    """Each cause as a line; its hint once below the last line of that cause."""
    for number, loss in enumerate(interval.losses):
        yield _loss(loss, interval.seconds)
        following = interval.losses[number + 1 : number + 2]
        if loss.hint and not (following and following[0].hint == loss.hint):
            yield Padding(with_commands(loss.hint), (0, 0, 0, 3))


def _loss(loss: LossRate, seconds: float) -> Text:
    line = Text.assemble((f" ✗ {loss.reason}", "bad"))
    if loss.errno:
        line.append(f" {loss.errno}", style="quiet")
    line.append("  ").append(loss.object, style="name")
    if loss.rule:
        line.append(f"/{loss.rule}")
    way = " → ".join(name for name in (loss.interface, loss.target) if name)
    line.append(f"  {way}" if way else "")
    return line.append(f"  {count(per_second(loss.packets, seconds))}/s", style="bad")
