"""docs/metrics.md, the dashboard and the alerts ask for what is exposed, and tell of all of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.unit.controller.test_rollup import report
from tests.unit.metrics.exposed import CATALOGUES, METRICS, asked, problems
from tests.unit.metrics.test_operator import fleet_view, lost, told
from xdpredirect.agent.metrics import LIMIT
from xdpredirect.controller.process import STALE_SECONDS
from xdpredirect.controller.standing import Part, Standing
from xdpredirect.controller.tally import Tally
from xdpredirect.controller.writes import KINDS, RESULTS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/metrics.md").read_text()
DASHBOARD: dict[str, Any] = json.loads((ROOT / "contrib/grafana/xdp-redirect.json").read_text())
RULES: dict[str, Any] = yaml.safe_load((ROOT / "contrib/prometheus/alerts.yaml").read_text())
ALERTS: list[dict[str, Any]] = RULES["spec"]["groups"][0]["rules"]
# Grafana puts durations there.
INTERVAL = "$__rate_interval"
SECONDS = "(?:[0-9]+[smh])+"


def rows() -> dict[str, list[str]]:
    """Cells of each row that begins with a metric, by its name."""
    lines = [line for line in PAGE.splitlines() if line.startswith(("| `xdp", "| `proc"))]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    found = {row[0].strip("`| "): row[1:] for row in cells}
    assert len(found) == len(cells)
    return found


def test_every_metric_has_a_row_and_every_row_a_metric() -> None:
    assert rows().keys() == METRICS.keys()


@pytest.mark.parametrize("name", METRICS)
def test_a_row_tells_what_the_code_says(name: str) -> None:
    kind, labels, what, example = rows()[name]
    assert kind == METRICS[name].kind
    assert tuple(re.findall(r"`(\w+)`", labels)) == METRICS[name].labels
    assert len(what) > 5
    query = example.strip("`| ")
    assert problems(query) == []
    assert name in {one.name for one in asked(query)}


def test_words_of_labels_are_told() -> None:
    _, _, writes, _ = rows()["xdpredirect_operator_writes_total"]
    assert {*KINDS.values(), *RESULTS} <= set(re.findall(r"`(\w+)`", writes))
    assert f"of those there are {LIMIT} at most" in PAGE
    assert PAGE.count(f"{STALE_SECONDS:.0f} `/healthz` fails") == 1


def test_the_number_of_series_is_the_one_that_is_told() -> None:
    tally = Tally()
    losses = tuple(lost(1, rule=f"rule-{n}") for n in range(20))
    tally.put("a", Part(Standing.READY, report=report(losses=losses)))
    series = [key for key in told(fleet_view(tally)) if ("redirect", "edge") in key]
    assert f"at most {len(series)} of an XdpRedirect" in PAGE


def test_the_values_are_those_of_the_chart() -> None:
    text = PAGE.split("<!-- values -->\n```\n", 1)[1].split("```", 1)[0]
    chart = ROOT / "charts/xdp-redirect"
    schema = json.loads((chart / "values.schema.json").read_text())
    defaults = yaml.safe_load((chart / "values.yaml").read_text())

    def merged(ours: Any, theirs: Any) -> Any:
        if not isinstance(ours, dict) or not isinstance(theirs, dict):
            return theirs
        return ours | {name: merged(ours.get(name), value) for name, value in theirs.items()}

    given = yaml.safe_load(text)
    assert given["agent"]["metrics"] == {**defaults["agent"]["metrics"], "enabled": True}
    jsonschema.validate(merged(defaults, given), schema)


def targets() -> Iterator[tuple[str, str, str]]:
    """(panel, query, legend) of everything that the dashboard draws."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace(INTERVAL, "5m"), target["legendFormat"]


@pytest.mark.parametrize(("panel", "query", "legend"), [*targets()])
def test_every_query_of_the_dashboard_asks_for_what_exists(
    panel: str, query: str, legend: str
) -> None:
    assert problems(query) == [], panel
    labels = set().union(*(one.labels for one in asked(query)))
    assert set(re.findall(r"{{(\w+)}}", legend)) <= labels


def test_variables_of_the_dashboard_are_labels_of_metrics() -> None:
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    used = {name for _, query, _ in targets() for name in re.findall(r"\$(\w+)", query)} | {
        "datasource"
    }
    assert used == variables.keys()
    for name in used - {"datasource"}:
        found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variables[name]["definition"])
        assert found is not None
        assert problems(f'{found[1]}{{{found[2]}="x"}}') == []


def test_the_dashboard_can_be_imported() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)), "panels lie over each other"
    assert {one["datasource"]["uid"] for one in panels if "datasource" in one} == {"${datasource}"}
    assert "id" not in DASHBOARD, "an id is of one Grafana"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_asks_for_what_exists(alert: dict[str, Any]) -> None:
    assert problems(alert["expr"]) == []
    assert alert.keys() == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(SECONDS, alert["for"])
    assert alert["labels"]["severity"] in ("warning", "critical")
    words = " ".join(alert["annotations"].values())
    labels = set().union(*(one.labels for one in asked(alert["expr"]))) | {"instance"}
    assert set(re.findall(r"\$labels\.(\w+)", words)) <= labels


def test_the_rule_is_one_of_the_prometheus_operator() -> None:
    assert (RULES["apiVersion"], RULES["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    names = [alert["alert"] for alert in ALERTS]
    assert len(names) == len(set(names)) >= 8


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("rate(xdpredirect_packets[5m])", "is no metric"),
        ('xdpredirect_condition{kind="Ready"}', "has no label kind"),
        ("sum by (reason) (xdpredirect_nodes)", "has no label reason"),
        ("xdpredirect_lost_packets_total", "takes for another kind"),
        ("rate(xdpredirect_nodes[5m])", "takes for another kind"),
    ],
)
def test_a_wrong_query_is_found(query: str, words: str) -> None:
    (found,) = problems(query)
    assert words in found


def test_text_that_is_no_query_is_an_error() -> None:
    with pytest.raises(ValueError, match="unclosed"):
        problems("sum by (xdpredirect_nodes")


def test_both_processes_are_told() -> None:
    assert {len(catalogue) > 10 for catalogue in CATALOGUES.values()} == {True}
