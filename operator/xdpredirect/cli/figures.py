"""Numbers and lists as people read them. Pure.

Called by the tables; JSON and YAML output carry the exact values instead.
"""

import re
from collections.abc import Iterable, Sequence

_NUMBERED = re.compile(r"(\D*?)(\d+)\Z")
_LARGE = ("G", "T", "P", "E")
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def count(number: int) -> str:
    """`1234567` as `1,234,567`."""
    return f"{number:,}"


def brief(number: int) -> str:
    """As `count`, but from a thousand million on with three digits and a unit: `1.83 T`."""
    if number < 10**9:
        return count(number)
    value, unit = number / 10**9, 0
    while value >= 999.5 and unit < len(_LARGE) - 1:
        value, unit = value / 1000, unit + 1
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {_LARGE[unit]}"


def octets(number: int) -> str:
    """Bytes with three digits that count and a decimal unit: `1.23 GB`."""
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{number} B"
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {_UNITS[unit]}"


def rate(packets: int, seconds: float) -> str:
    """Packets a second with thousands separators; a dash where no time has passed."""
    return count(round(packets / seconds)) if seconds > 0 else "–"


def compact(names: Sequence[str], most: int = 6) -> list[str]:
    """`cpu 2`, `cpu 3`, `cpu 4` as `cpu 2-4`; after `most` entries how many more there are."""
    runs: list[tuple[str, int, int] | str] = []
    for name in names:
        found = _NUMBERED.fullmatch(name)
        last = runs[-1] if runs else None
        if found is None or not found[1].endswith(" "):
            runs.append(name)
        elif isinstance(last, tuple) and last[0] == found[1] and last[2] + 1 == int(found[2]):
            runs[-1] = (found[1], last[1], int(found[2]))
        else:
            runs.append((found[1], int(found[2]), int(found[2])))
    texts = [run if isinstance(run, str) else _run(*run) for run in runs]
    if len(texts) <= most:
        return texts
    return [*texts[: most - 1], f"and {len(texts) - most + 1} more"]


def _run(stem: str, first: int, last: int) -> str:
    return f"{stem}{first}" if first == last else f"{stem}{first}-{last}"


def plural(number: int, noun: str) -> str:
    """`1 action`, `2 actions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Iterable[str], none: str = "–") -> str:
    """Names with commas, or `none`."""
    return ", ".join(names) or none
