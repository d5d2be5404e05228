"""Samples in the text format of Prometheus. The only module that knows `prometheus_client`, of
which no more is loaded than that takes.

Called by whoever serves `/metrics`.
"""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector, CollectorRegistry

from xdpredirect.metrics.metric import Kind, Metric, Sample

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def expose(catalogue: Sequence[Metric], samples: Iterable[Sample]) -> bytes:
    """Every metric of the catalogue with its help, those without a sample included. Raises KeyError
    for a sample of none of them."""
    families = {metric: _family(metric) for metric in catalogue}
    for metric, labels, value in samples:
        families[metric].add_metric(labels, value)
    registry = CollectorRegistry()
    registry.register(_Given([*families.values()]))
    return generate_latest(registry)


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=metric.labels)


class _Given(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        yield from self._families
