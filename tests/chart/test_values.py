"""Which values the chart takes: all that are documented, and no other."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from scripts.chart import CHART, ROOT, comment_above, stale, values
from tests.chart.helm import Helm
from tests.chart.rendered import SETS, render
from xdpredirect import __version__

REFUSED = yaml.safe_load(Path(__file__).with_name("refused.yaml").read_text())


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row["case"])
def test_a_wrong_value_is_refused_in_words(helm: Helm, row: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps(row["values"]))
    done = helm.run(["template", "redirects", str(CHART), "--values", str(file)])
    assert done.returncode != 0
    assert [said for said in row["says"] if said not in done.stderr] == [], done.stderr


def test_copies_and_table_are_up_to_date() -> None:
    assert [str(path.relative_to(ROOT)) for path in stale()] == [], "run scripts/chart.py"


def test_every_value_is_in_the_table_with_its_default() -> None:
    table = (CHART / "README.md").read_text()
    rows = list(values())
    assert len(rows) >= 30
    for name, default, _ in rows:
        assert f"| `{name}` | `{default}` |" in table
    assert comment_above(["a: 1", "b: 2"], 1) == ""


def test_every_value_of_the_schema_has_a_default_that_it_accepts() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(defaults, schema)
    # Those two are a parent chart's.
    assert schema["properties"].keys() == {*defaults, "enabled", "global"}
    for part in ("operator", "agent", "metrics", "crds", "rbac", "uninstall"):
        assert schema["properties"][part]["properties"].keys() == defaults[part].keys()


def test_every_object_of_the_schema_is_closed() -> None:
    def open_ones(node: Any, at: str) -> list[str]:
        if not isinstance(node, dict):
            return []
        found = (
            [at] if "properties" in node and node.get("additionalProperties") is not False else []
        )
        return found + [
            one for key, below in node.items() for one in open_ones(below, f"{at}/{key}")
        ]

    assert open_ones(json.loads((CHART / "values.schema.json").read_text()), "") == []


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__


def test_a_packaged_chart_renders_the_same(helm: Helm, tmp_path: Path) -> None:
    helm("package", str(CHART), "--destination", str(tmp_path))
    (packed,) = tmp_path.glob("*.tgz")
    said = helm("template", "redirects", str(packed), "--namespace", "xdp-redirect-system")
    assert said == helm("template", "redirects", str(CHART), "--namespace", "xdp-redirect-system")


def test_a_parent_chart_can_switch_it(helm4: Helm, tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    (parent / "charts").mkdir(parents=True)
    (parent / "charts/xdp-redirect").symlink_to(CHART)
    dependency = {"name": "xdp-redirect", "version": "0.1.0", "condition": "xdp-redirect.enabled"}
    document = {
        "apiVersion": "v2",
        "name": "parent",
        "version": "1.0.0",
        "dependencies": [dependency],
    }
    (parent / "Chart.yaml").write_text(json.dumps(document))
    switch = ("--set", "xdp-redirect.enabled={}", "--set", "global.imageRegistry=x")
    on = [word.format("true") for word in switch]
    off = [word.format("false") for word in switch]
    assert "xdp-redirect-operator" in helm4("template", "redirects", str(parent), *on)
    assert "xdp-redirect" not in helm4("template", "redirects", str(parent), *off)


def test_there_are_sets_enough() -> None:
    assert len(SETS) >= 8


def test_images_are_written_as_given(helm4: Helm) -> None:
    def images(name: str) -> set[str]:
        text = json.dumps(render(helm4, SETS[name]))
        found = {part.split('"')[0] for part in text.replace('"image": "', "\0").split("\0")[1:]}
        return found | {part.split("\\n")[0] for part in text.split("image: ")[1:]}

    zeros = "0" * 63
    assert images("default") == {
        f"ghcr.io/xdp-redirect/operator:{__version__}",
        f"ghcr.io/xdp-redirect/agent:{__version__}",
    }
    assert images("pinned") == {
        f"ghcr.io/xdp-redirect/operator@sha256:{zeros}1",
        f"ghcr.io/xdp-redirect/agent:0.1.0@sha256:{zeros}2",
    }
    assert images("private-registry") == {
        "registry.example:5000/network/operator:1.10",
        "registry.example:5000/network/agent:1.10",
    }
