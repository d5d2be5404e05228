"""What operator and agent expose, as Prometheus reads it, and what a query asks for.

Called by the tests of this folder.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser as promql
from prometheus_client.parser import text_string_to_metric_families

from xdpredirect.agent import metrics as agent
from xdpredirect.controller import metrics as operator
from xdpredirect.metrics.exposition import expose
from xdpredirect.metrics.metric import Kind, Metric, Sample

CATALOGUES = {"operator": operator.CATALOGUE, "agent": agent.CATALOGUE}
METRICS: dict[str, Metric] = {m.name: m for known in CATALOGUES.values() for m in known}
# What Prometheus makes itself, and what the monitors of the chart add.
OF_PROMETHEUS = {"up": ("job",)}
ADDED = {"job", "instance", "namespace", "pod", "node"}
RATES = {"rate", "irate", "increase", "resets"}


def parsed(catalogue: tuple[Metric, ...], samples: Iterable[Sample]) -> dict[str, Any]:
    """Families by name, read from the text by the parser of the Prometheus client."""
    families = list(text_string_to_metric_families(expose(catalogue, samples).decode()))
    found = {family.name: family for family in families}
    assert len(found) == len(families), "a family twice"
    return found


def values(
    catalogue: tuple[Metric, ...], samples: Iterable[Sample]
) -> dict[tuple[Any, ...], float]:
    """Values by (name, (label, value), ...), labels sorted; AssertionError for a series twice."""
    found: dict[tuple[Any, ...], float] = {}
    for family in parsed(catalogue, samples).values():
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


@dataclass(frozen=True)
class Asked:
    """One selector of a query, the labels that are asked of it, and whether it is the argument of a
    function for counters."""

    name: str
    labels: frozenset[str]
    rated: bool


def asked(query: str) -> Iterator[Asked]:
    """Every selector of a query. Raises ValueError when it is none."""
    yield from _selectors(promql.parse(query), False, frozenset())


def _selectors(node: Any, rated: bool, by: frozenset[str]) -> Iterator[Asked]:
    match node:
        case promql.VectorSelector():
            matched = {one.name for one in node.matchers.matchers}
            yield Asked(node.name or "", by | matched, rated)
        case promql.MatrixSelector():
            yield from _selectors(node.vector_selector, rated, by)
        case promql.Call():
            for below in node.args:
                yield from _selectors(below, rated or node.func.name in RATES, by)
        case promql.AggregateExpr():
            grouped = node.modifier.labels if node.modifier else ()
            yield from _selectors(node.expr, rated, by | set(grouped))
        case promql.BinaryExpr():
            matching = node.modifier.matching if node.modifier else None
            joined = by | set(matching.labels if matching else ())
            yield from _selectors(node.lhs, rated, joined)
            yield from _selectors(node.rhs, rated, joined)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from _selectors(node.expr, rated, by)
        case promql.NumberLiteral() | promql.StringLiteral():
            return
        case _:
            raise AssertionError(f"{type(node).__name__} is not known here")


def problems(query: str) -> list[str]:
    """What of a query nothing exposes: names, labels, and rates of what is no counter."""
    found = []
    for one in asked(query):
        metric = METRICS.get(one.name)
        if metric is None and one.name not in OF_PROMETHEUS:
            found.append(f"{one.name} is no metric")
            continue
        known = {*metric.labels} if metric else {*OF_PROMETHEUS[one.name]}
        found += [f"{one.name} has no label {x}" for x in sorted(one.labels - known - ADDED)]
        counts = metric is not None and metric.kind is Kind.COUNTER
        if metric is not None and counts != one.rated:
            found.append(f"{one.name} is a {metric.kind}, which the query takes for another kind")
    return found
