"""What a metric is, and one value of it. Pure; the operator and the agent each list theirs."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """A counter only grows as long as its process lives; a gauge is as it is now."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` as Prometheus has it: base units, and a counter ends in `_total`. `help` is one
    sentence without a full stop."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    def at(self, value: float, *labels: str) -> "Sample":
        """One value; `labels` in the order of the metric's own."""
        return Sample(self, labels, value)


class Sample(NamedTuple):
    """`labels` are values, in the order of `metric.labels`."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


def counter(name: str, help: str, *labels: str) -> Metric:
    """A metric that only grows."""
    return Metric(name, Kind.COUNTER, help, labels)


def gauge(name: str, help: str, *labels: str) -> Metric:
    """A metric that goes up and down."""
    return Metric(name, Kind.GAUGE, help, labels)


def flags(metric: Metric, labels: tuple[str, ...], known: Iterable[str], now: str) -> list[Sample]:
    """A state as one sample for each of the `known` ones: 1 for `now`, 0 for the others. So every
    state can be asked for, and none is left behind when it ends."""
    return [metric.at(float(one == now), *labels, one) for one in known]
