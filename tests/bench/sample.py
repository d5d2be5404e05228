"""Samples of things that take turns, and what is said about them.

A shared machine is faster now and slower a second later, so no two things are compared that were
not measured turn and turn about. Called by every benchmark.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Samples = dict[str, list[float]]


def fastest(measure: Callable[[], float], parts: int) -> Callable[[], float]:
    """The best of `parts` measurements in a row, for costs in time: other work on the machine only
    ever adds to them, and rarely to every part of a turn."""
    return lambda: min(measure() for _ in range(parts))


def take_turns(subjects: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """`rounds` measurements of each subject, A B C A B C. The first round only warms up."""
    samples: Samples = {name: [] for name in subjects}
    for number in range(rounds + 1):
        for name, measure in subjects.items():
            value = measure()
            if number:
                samples[name].append(value)
    return samples


@dataclass(frozen=True, slots=True)
class Spread:
    """What counts, which is the median where nothing else is said, and extremes."""

    value: float
    low: float
    high: float


def spread(values: list[float]) -> Spread:
    """Median and extremes of at least one value."""
    return Spread(median(values), min(values), max(values))


def differences(samples: Samples, name: str, base: str) -> Spread:
    """How much the best round of `name` took more than that of `base`, and the extremes of the
    differences within a round.

    For costs in time, where others only ever add: a neighbour on the same core makes 128 rules half
    as slow again and a bare redirect a tenth, minutes on end, so a median tells how often he was at
    work. The best of many rounds of both is what the processor needs.
    """
    rounds = [a - b for a, b in zip(samples[name], samples[base], strict=True)]
    return Spread(min(samples[name]) - min(samples[base]), min(rounds), max(rounds))


def ratios(samples: Samples, name: str, base: str) -> Spread:
    """`name` over `base` in the same round."""
    return spread([a / b for a, b in zip(samples[name], samples[base], strict=True)])
