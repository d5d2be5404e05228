"""Results against budgets: what is shown, stored and drawn. Called by `__main__`."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from tests.bench.sample import Samples, Spread, differences, ratios, spread

BUDGETS = Path(__file__).with_name("budgets.toml")


@dataclass(frozen=True, slots=True)
class Figure:
    """One result. `target` is empty for what is only shown; `met` is None then."""

    name: str
    what: str
    unit: str
    result: Spread
    target: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """pass, MISS, or nothing."""
        return "" if self.met is None else "pass" if self.met else "MISS"


def judge(results: Mapping[str, Spread]) -> list[Figure]:
    """Results by name, such as `testrun.rules/8`, in the order of the budgets. A result without an
    entry there is a KeyError: nothing is measured that nobody sees."""
    entries = {
        f"{group}.{name}": entry
        for group, names in tomllib.loads(BUDGETS.read_text()).items()
        for name, entry in names.items()
    }
    unknown = results.keys() - entries.keys()
    if unknown:
        raise KeyError(f"not in budgets.toml: {', '.join(sorted(unknown))}")
    return [_figure(name, entries[name], results[name]) for name in entries if name in results]


def _figure(name: str, entry: Mapping[str, object], result: Spread) -> Figure:
    target, met = "", None
    for word, sign in (("at_most", 1), ("at_least", -1)):
        limit = entry.get(word)
        if isinstance(limit, int | float):
            target = f"{'≤' if sign > 0 else '≥'} {limit:g}"
            met = sign * result.value <= sign * limit
    return Figure(name, str(entry["what"]), str(entry["unit"]), result, target, met)


def table(figures: list[Figure]) -> Table:
    """For people."""
    made = Table("figure", "target", "result", "min", "max", "", title="make bench")
    for column in made.columns[1:5]:
        column.justify = "right"
    for figure in figures:
        numbers = (f"{value:.3g}" for value in asdict(figure.result).values())
        style = "red" if figure.met is False else ""
        target = figure.target and f"{figure.target} {figure.unit}"
        made.add_row(
            f"{figure.what} [dim]{figure.unit}[/]", target, *numbers, figure.verdict, style=style
        )
    return made


def throughput(samples: Samples) -> dict[str, Spread]:
    """Frames a second as ratios to the peer."""
    pairs = (("device", "peer-map"), ("rules", "peer-map"), ("cpus", "peer-cpu"))
    return {f"throughput.{name}": ratios(samples, name, base) for name, base in pairs}


def testrun(samples: Samples) -> dict[str, Spread]:
    """Nanoseconds over what the subject is to be compared with."""
    found = {}
    for name in samples:
        kind, _, rest = name.partition("/")
        base = {"set": f"bare/{rest}", "spread": "spread-base", "protect": "protect/none"}.get(
            kind, "bare"
        )
        if kind != "bare" and name != base:
            found[f"testrun.{name}"] = differences(samples, name, base)
    return found


def times(samples: Samples) -> dict[str, Spread]:
    """As they were measured."""
    return {f"times.{name}": spread(values) for name, values in samples.items()}
