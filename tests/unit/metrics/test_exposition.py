"""The text that Prometheus reads, and that names are as it wants them."""

import re

import pytest

from tests.unit.metrics.exposed import CATALOGUES, METRICS, parsed, values
from xdpredirect.metrics.exposition import CONTENT_TYPE
from xdpredirect.metrics.metric import Kind, Metric, counter, flags, gauge

FRAMES = counter("a_frames_total", "Frames", "rule")
STATE = gauge("a_state", "State", "one", "state")
AWKWARD = 'a "rule"\\ with\nlines'


def test_what_is_written_is_what_is_read() -> None:
    read = values((FRAMES, STATE), [FRAMES.at(2**53 - 1, "r"), FRAMES.at(0, AWKWARD)])
    assert read == {
        ("a_frames_total", ("rule", "r")): 2**53 - 1,
        ("a_frames_total", ("rule", AWKWARD)): 0,
    }


def test_a_metric_without_a_sample_is_told_with_its_kind() -> None:
    found = parsed((FRAMES, STATE), [])
    assert {f.name: f.type for f in found.values()} == {"a_frames": "counter", "a_state": "gauge"}


def test_a_sample_of_no_metric_of_the_catalogue_is_an_error() -> None:
    with pytest.raises(KeyError):
        parsed((FRAMES,), [STATE.at(1, "x", "y")])


def test_a_state_is_one_of_those_that_are_known() -> None:
    samples = flags(STATE, ("x",), ("on", "off"), "off")
    assert [(s.labels, s.value) for s in samples] == [(("x", "on"), 0.0), (("x", "off"), 1.0)]
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())
def test_names_follow_the_conventions(metric: Metric) -> None:
    name = metric.name
    assert re.fullmatch(r"(xdpredirect|process)(_[a-z]+)+", name)
    assert name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert not re.search(r"octets|milli|micro|kilo|minutes|hours|count$", name), "base units"
    assert all(re.fullmatch(r"[a-z_]+", label) for label in metric.labels)
    assert not {"job", "instance"} & {*metric.labels}, "Prometheus has its own"
    assert metric.help[0].isupper() or metric.help.startswith("1 ")
    assert not metric.help.endswith(".")


@pytest.mark.parametrize("who", CATALOGUES)
def test_no_name_is_there_twice(who: str) -> None:
    names = [metric.name for metric in CATALOGUES[who]]
    assert len(names) == len(set(names))
    others = {m.name for n, known in CATALOGUES.items() if n != who for m in known}
    assert all(name.startswith("process_") for name in others & set(names))
