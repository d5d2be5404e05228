"""Line plots as SVG, written by hand: a few numbers need no plotting library.

Called by `__main__`, which writes the pictures of docs/performance.md.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 320, 60, 50, 40, 130
COLOURS = ("#1f6fb4", "#c2541b", "#3a8f3a")
Points = Sequence[tuple[float, float]]


def lines(title: str, x_label: str, series: Mapping[str, Points], y_label: str = "ns") -> str:
    """An SVG of each series over a logarithmic x axis; y begins at 0."""
    xs = sorted({x for points in series.values() for x, _ in points})
    top = _round_up(max(y for points in series.values() for _, y in points))
    parts = [_text((WIDTH / 2, 22), title, "middle", 15), *_axes(xs, top, x_label, y_label)]
    for (name, points), colour in zip(series.items(), COLOURS, strict=False):
        placed = [(_x(x, xs), _y(y, top)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed)
        last_x, last_y = placed[-1]
        parts.append(_text((last_x + 8, last_y + 4), name, "start", 12, colour))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n'
        f"{body}\n</svg>\n"
    )


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    value = max(value, 1.0)
    power = 10 ** math.floor(math.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value))


def _x(value: float, xs: Sequence[float]) -> float:
    low, high = math.log10(xs[0]), math.log10(xs[-1])
    share = (math.log10(value) - low) / (high - low) if high > low else 0.5
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - max(value, 0.0) / top * (HEIGHT - BOTTOM - TOP)


def _axes(xs: Sequence[float], top: float, x_label: str, y_label: str) -> list[str]:
    parts = []
    for step in range(5):
        value = top * step / 4
        y = _y(value, top)
        end = WIDTH - RIGHT
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(_text((LEFT - 8, y + 4), f"{value:g}", "end", 12))
    parts += (_text((_x(x, xs), HEIGHT - BOTTOM + 18), f"{x:,.0f}", "middle", 12) for x in xs)
    parts.append(_text(((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12), x_label, "middle", 13))
    parts.append(_text((14, TOP - 12), y_label, "start", 13))
    return parts


def _text(at: tuple[float, float], words: str, anchor: str, size: int, colour: str = "#222") -> str:
    return (
        f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{colour}">{escape(words)}</text>'
    )
